"""Mails about proposals that wait for a second person."""

from apps.gate.proposals import Proposal
from apps.notifications.kinds import Relation
from apps.notifications.letters.deciding import cut
from apps.notifications.letters.shape import Letter, Reader, address_of, section
from apps.notifications.models import Delivery


def proposal_letter(delivery: Delivery, proposal: Proposal, *, reader: Reader) -> Letter:
    """What is proposed, by whom and since when; nothing is decided by opening its page."""
    about = section(
        "What is known",
        ("What", proposal.title),
        ("Proposed by", proposal.proposer.name),
        ("Waits since", reader.moment(proposal.at)),
        ("Why", cut(proposal.reason)),
    )
    return Letter(
        subject=f"A proposal asks for you: {proposal.title}",
        lead=f"{proposal.proposer.name} proposes: {proposal.title}. It takes a second person.",
        cure="Read it on its page, then confirm or refuse it there. It changes nothing before somebody does.",
        url=address_of(proposal.url),
        word="Open the proposal",
        because=Relation(delivery.relation).words,
        short=f"proposed by {proposal.proposer.name}",
        sections=(about,),
    )
