"""Everything the change page shows, gathered from many apps in a bounded number of statements."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.urls import reverse

from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.approvals.facts import review_facts
from apps.approvals.models import Decision, LegException, SignOff
from apps.approvals.rules import PASSKEY, ReviewFacts, own_sign_offs, stands, why_not_approve, why_not_send_back, why_not_withdraw_sign_off
from apps.audit.stream import Rows, entries_in, latest
from apps.catalog.grants import Grants
from apps.catalog.models import Service
from apps.changes.facts import asker_of, change_facts, content_of, risk_in
from apps.changes.models import Change, Leg, Revision
from apps.changes.rules import (
    Asker,
    ChangeFacts,
    Risk,
    why_not_close,
    why_not_create,
    why_not_finish,
    why_not_revise,
    why_not_submit,
    why_not_withdraw,
)
from apps.changes.states import ENDED, OPEN, State
from apps.core.references import Referable
from apps.core.refusals import Refusal, not_now
from apps.home.facts.agreement import Agreement, Effect, agreement, effect_of_edit
from apps.home.facts.beside import ENTRIES, about, beside
from apps.home.facts.comparing import Comparison, compare
from apps.home.facts.discussing import Discussion, Watchers, discussion_in, watchers_in
from apps.home.facts.ending import Ending, ending_of
from apps.home.facts.evidence import EvidenceBoard, evidence_board
from apps.home.facts.gathering import change_rows
from apps.home.facts.ladder import Rung, ladder
from apps.home.facts.life import Step, life_of
from apps.home.facts.naming import told
from apps.home.facts.needs import Neighbours, neighbours_in
from apps.home.facts.planning import Planned, plans_for
from apps.home.facts.telling import Told, told_content
from apps.home.facts.version import PassageShown, stored_passages

VERB_KEYS = frozenset({"withdraw", "return", "finish", "close"})


@dataclass(frozen=True, slots=True)
class Verb:
    """Something a person may do with the change, or why they may not; `needs` says whether a reason is asked."""

    key: str
    label: str
    icon: str
    hint: str
    refusal: Refusal | None
    route: str = ""
    asks: bool = True  # whether it takes words of its own

    @property
    def is_plain(self) -> bool:
        """Whether a button in the head of the page is all it needs."""
        return not self.asks and self.refusal is None


@dataclass(frozen=True, slots=True)
class Stream:
    """A page of what happened, newest first."""

    entries: list[dict[str, object]]
    older_than: UUID | None
    newest: UUID | None  # none where a later page of it is shown


@dataclass(frozen=True, slots=True)
class OwnSignOff:
    """The person's own agreement, and why it cannot be taken back."""

    sign_off: SignOff
    stands: bool
    refusal: Refusal | None


@dataclass(frozen=True, slots=True)
class Looking:
    """What of the change somebody asked to see: two revisions, where the stream goes on, where the discussion does."""

    older: int | None = None
    newer: int | None = None
    before: UUID | None = None
    said_before: int | None = None


@dataclass(frozen=True, slots=True)
class ChangePage:
    """The whole page."""

    change: Change
    revision: Revision
    told: Told
    rungs: list[Rung]
    life: list[Step]
    agreement: Agreement
    risk: Risk | None  # as it would be counted now; none where it is over
    revisions: list[Revision]
    comparison: Comparison | None
    effect: Effect | None
    discussion: Discussion
    watchers: Watchers
    neighbours: Neighbours
    exceptions: Collection[LegException]
    stream: Stream
    verbs: list[Verb]
    plans: list[Planned]
    own: OwnSignOff | None
    can_sign: bool
    evidence: EvidenceBoard
    ways: list[PassageShown]
    ending: Ending | None

    @property
    def asked(self) -> list[Rung]:
        """The legs that can still go."""
        return [rung for rung in self.rungs if rung.is_asked]


def change_page(change: Change, person: Person, *, now: datetime, looking: Looking | None = None) -> ChangePage:
    """The page for one person. What several parts of it ask is read once and handed on."""
    looking = looking or Looking()
    revision = newest_of(change)
    numbers = numbers_compared(revision, looking)
    aside = beside(change, revision, person, now=now, said_before=looking.said_before, numbers={*numbers})
    rows = change_rows(change, person, beside=aside.all)
    legs, grants, review = rows.legs, rows.grants, review_facts(change, rows=rows.review)
    rungs, agreed = ladder(change, person=person, rows=rows), agreement(review, now=now, starts=rows.starts)
    known = [person, change.requester, *(one.person for one in rows.sign_offs), *(one.author for one in aside.comments)]
    names = names_among(change, legs, known)
    shown = {one.number: one for one in aside.compared} | {revision.number: revision}
    pair = (shown[numbers[0]], shown[numbers[1]]) if numbers else None
    return ChangePage(
        change=change,
        revision=revision,
        told=told_content(content_of(revision), legs=legs, called=aside.called),
        rungs=rungs,
        life=life_of(change, aside.moves, missing_count=agreed.missing_count, planned_at=min(rows.starts.values(), default=None)),
        agreement=agreed,
        risk=None if change.state in ENDED else risk_in(content_of(revision), aside.risks),
        revisions=[*aside.revisions],
        comparison=compare(*pair, signed=agreed.signed) if pair else None,
        effect=effect_of_edit(review, before=pair[0].part_digests) if pair and pair[1].pk == revision.pk else None,
        discussion=discussion_in([*aside.comments]),
        watchers=watchers_in(aside.watches, person),
        neighbours=neighbours_in(aside.neighbours, change),
        exceptions=aside.exceptions,
        stream=stream_of(change, aside.entries, before=looking.before, known=names),
        verbs=verbs_for(change, person, review, legs=legs, grants=grants),
        plans=plans_for(change, rungs, person=person, grants=grants),
        own=own_agreement(person, review, rows.sign_offs),
        can_sign=why_not_approve(review, revision_digest=revision.digest, by=replace(person.actor, credential=PASSKEY)) is None,
        evidence=evidence_board(change, revision, person, by=rows.asker(person), legs=legs, uploads=aside.uploads),
        ways=stored_passages(change, legs, rows=aside.readings),
        ending=ending_of(change, aside.moves, rejected=agreed.rejected, known=names),
    )


def numbers_compared(newest: Revision, looking: Looking) -> tuple[int, int] | tuple[()]:
    """The two revisions to put side by side, the older first; the last two where others were not asked for or are not there."""
    if newest.number == 1:
        return ()
    newer = looking.newer if looking.newer and 1 <= looking.newer <= newest.number else newest.number
    older = looking.older if looking.older and 1 <= looking.older <= newest.number else max(newer - 1, 1)
    return (min(older, newer), max(older, newer)) if older != newer else (max(newer - 1, 1), max(newer, 2))


def names_among(change: Change, legs: Iterable[Leg], people: Iterable[Person]) -> dict[str, str]:
    """The names of what the page has read already, so that its stream does not read them again."""
    rows: list[tuple[Referable, str]] = [(change, change.ref), *((person, person.name) for person in people)]
    for leg in legs:
        place = f"{leg.service.name} in {leg.environment.name}"
        rows += [(leg.service, leg.service.name), (leg.environment, leg.environment.name), (leg.target, place), (leg, place)]
    return {str(row.reference): name for row, name in rows}


def newest_of(change: Change) -> Revision:
    """The newest revision, which every change has."""
    assert change.revision is not None  # noqa: S101 - a change is made with its first revision
    return change.revision


def stream_of(change: Change, newest: Rows, *, before: UUID | None, known: dict[str, str]) -> Stream:
    """What happened to the change, a page at a time; the NEWEST rows are the first page."""
    found = latest(about(change), limit=ENTRIES + 1, before=before) if before else entries_in(newest)
    here = reverse("home:change", args=[change.ref])
    entries = [{**line, "url": "" if line["url"] == here else line["url"]} for line in told(found[:ENTRIES], known=known)]
    seen = found[0].id if found and not before else None
    return Stream(entries, found[ENTRIES - 1].id if len(found) > ENTRIES else None, seen)


def own_agreement(person: Person, review: ReviewFacts, sign_offs: Iterable[SignOff]) -> OwnSignOff | None:
    """The person's newest agreement that was not withdrawn, among the change's standing sign-offs."""
    own = next((one for one in own_sign_offs(review, by=person.public_id) if one.decision == Decision.APPROVE), None)
    if own is None:
        return None
    refusal = why_not_withdraw_sign_off(review, sign_off=own, by=person.actor)
    holds = bool(review.legs) and stands(own.covered, digests=review.legs[0].digests)
    return OwnSignOff(next(one for one in sign_offs if one.public_id == own.id), holds, refusal)


def verbs_for(
    change: Change, person: Person, review: ReviewFacts, *, legs: list[Leg] | None = None, grants: Grants | None = None
) -> list[Verb]:
    """What can be done in this state, each with the refusal its action would raise."""
    facts, by = change_facts(change, legs), asker_of(person, services_in(change, legs), grants=grants)
    match change.state:
        case State.DRAFT:
            return [submission(facts, by), edit(facts, by), withdrawal(facts, by)]
        case State.POST_REVIEW:
            return [closure(facts, by)]
        case state if state in OPEN:
            back = [return_(review, person, by)] if state == State.IN_REVIEW else []
            return [edit(facts, by), *back, completion(facts, by) if facts.touched else withdrawal(facts, by)]
    return []


def services_in(change: Change, legs: list[Leg] | None) -> list[Service]:
    """The services of a change: its legs name them all, but for a draft that says of one not yet where it goes."""
    if legs and change.state != State.DRAFT:
        return [*{leg.service_id: leg.service for leg in legs}.values()]
    return [item.service for item in change.items.filter(is_current=True).select_related("service")]


def why_not_write(change: Change | None, person: Person, *, grants: Grants) -> Refusal | None:
    """Why this person may not edit the change, or ask for one: known before anything is filled in."""
    if change is None:
        return why_not_create(by=asker_of(person, [], grants=grants))
    return why_not_revise(change_facts(change), by=asker_of(person, services_in(change, None), grants=grants))


def why_not_offered(change: Change, person: Person, *, key: str) -> Refusal | None:
    """Why the page has no form for what somebody sent: the refusal in its place, or that this is not the state for it."""
    offered = {verb.key: verb.refusal for verb in verbs_for(change, person, review_facts(change))}
    if key not in VERB_KEYS or key in offered:
        return offered.get(key)
    return not_now(
        "not_in_this_state", f"{change.ref} is {change.state.lower().replace('_', ' ')}.", "Open it again to see what can be done."
    )


def submission(facts: ChangeFacts, by: Asker) -> Verb:
    """Send a draft to review."""
    return Verb("submit", "Submit for review", "send", "", why_not_submit(facts, by=by), "home:submission", asks=False)


def edit(facts: ChangeFacts, by: Asker) -> Verb:
    """Write another revision."""
    return Verb("edit", "Edit", "pencil", "", why_not_revise(facts, by=by), "home:edit_change", asks=False)


def withdrawal(facts: ChangeFacts, by: Asker) -> Verb:
    """Take it back."""
    hint = "It ends here. What was agreed stays in the stream; a copy asks again."
    return Verb("withdraw", "Withdraw", "circle-minus", hint, why_not_withdraw(facts, by=by), "home:withdrawal")


def completion(facts: ChangeFacts, by: Asker) -> Verb:
    """End it where it stands."""
    hint = "What has not started is skipped, and the review follows. Nothing that runs is touched."
    return Verb("finish", "Finish here", "flag", hint, why_not_finish(facts, by=by), "home:completion")


def return_(review: ReviewFacts, person: Person, by: Asker) -> Verb:
    """Ask the requester for more."""
    refusal = why_not_send_back(review, by=person.actor, is_release_manager=Role.RELEASE_MANAGER in by.roles)
    hint = "It is a draft again. Agreement that covers what does not change comes back with it."
    return Verb("return", "Send back", "arrow-back-up", hint, refusal, "home:return")


def closure(facts: ChangeFacts, by: Asker) -> Verb:
    """Close it with its review."""
    hint = "What went well, what did not, and what is done about it. It may be left out only where all went well."
    return Verb("close", "Close with this review", "circle-check", hint, why_not_close(facts, by=by), "home:closure")
