"""From an entry of the stream to who must be told what, and why them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from apps.accounts.models import Person
from apps.approvals.facts import agreers_of
from apps.approvals.models import SignOff
from apps.approvals.steps import JUDGE
from apps.audit.entries import StreamEntry
from apps.audit.names import read_actor
from apps.audit.vocabulary import Event
from apps.changes.models import Change
from apps.core.actors import ActorKind
from apps.core.references import UUID_TEXT, Reference
from apps.deployments.models import Deployment
from apps.gate.proposals import confirmers_of, proposal_named
from apps.notifications.facts.asking import asked_now, asked_since
from apps.notifications.facts.circles import members_ids, operators_ids, owners_ids, speakers_of, standing_ids, watchers_of
from apps.notifications.facts.subjects import (
    Subject,
    change_named,
    delegation_named,
    deployment_named,
    exception_named,
    incident_named,
    person_named,
    who_may_be_told,
)
from apps.notifications.kinds import WEIGHT, Kind, Relation
from apps.notifications.models import Delivery
from apps.notifications.states import State

# After these, whoever was asked before is asked again: a new round, or somebody took their agreement back. So they are where
# an agreement was lost by what happened elsewhere.
ASKS_ANEW = frozenset({Event.CHANGE_SUBMITTED, Event.SIGN_OFF_WITHDRAWN})
ABOUT_ACCOUNTS = (
    Event.PASSKEY_ADDED,
    Event.PASSKEY_REMOVED,
    Event.AUTHENTICATOR_APP_ADDED,
    Event.AUTHENTICATOR_APP_REMOVED,
    Event.RECOVERY_CODES_MADE,
    Event.RECOVERY_CODE_USED,
    Event.PERSON_PASSWORD_CHANGED,
    Event.PERSON_FACTORS_RESET,
    Event.IDENTITY_ADDED,
    Event.IDENTITY_REMOVED,
    Event.PERSONAL_TOKEN_ISSUED,
)
PROPOSALS = (Event.POLICY_PROPOSED, Event.CHANGE_MODEL_PROPOSED, Event.RELAXATION_PROPOSED, Event.TRUST_PROPOSED, Event.ADMINISTRATOR_ASKED)
ASKING = (Kind.SIGN_OFF_ASKED, Kind.SIGN_OFF_LAPSED)


@dataclass(frozen=True, slots=True)
class Told:
    """One person, what they are told, and why them."""

    person: UUID
    kind: Kind
    relation: Relation


@dataclass(frozen=True, slots=True)
class Notice:
    """What an entry is about for whoever is told."""

    subject: Subject
    told: tuple[Told, ...]


def notice_of(entry: StreamEntry) -> Notice | None:
    """What is to be told about an entry; None where nobody is."""
    teller = TELLERS.get(str(entry.event))
    return teller(entry) if teller else None


def audience(entry: StreamEntry, notice: Notice) -> list[tuple[Person, Told]]:
    """Who is told in the end: present, allowed to see it, not the one who did it, and each for one reason only."""
    chosen: dict[UUID, Told] = {}
    for told in sorted(notice.told, key=lambda one: WEIGHT[one.relation], reverse=True):
        chosen[told.person] = told
    doer = entry.by.person_id
    if doer in chosen and chosen[doer].kind is not Kind.ACCOUNT:  # of their own account they are told all the same: it may not be they
        del chosen[doer]
    people = Person.objects.present().filter(public_id__in=chosen).order_by("pk")
    return [(person, chosen[person.public_id]) for person in who_may_be_told(people, notice.subject)]


def each(people: Iterable[UUID], kind: Kind, relation: Relation) -> tuple[Told, ...]:
    """The same for all of them."""
    return tuple(Told(person, kind, relation) for person in people)


def _asking(entry: StreamEntry) -> Notice | None:
    """Whoever an empty seat waits for now. In one round a person is asked once, however often the change is edited."""
    change = change_named(entry.ref("change"))
    if change is None:
        return None
    asked = Delivery.objects.filter(subject=str(change.reference), kind__in=ASKING)
    is_lost = entry.event == Event.CHANGE_REOPENED and entry.by == JUDGE
    if is_lost or entry.event in ASKS_ANEW:
        asked = asked.filter(state=State.QUEUED)
    else:
        asked = asked.filter(told_at__gte=asked_since(change) or entry.at).exclude(state=State.SUPPRESSED)
    waiting = asked_now(change) - set(asked.values_list("person__public_id", flat=True))
    told = each(waiting, Kind.SIGN_OFF_ASKED, Relation.ASKED)
    if is_lost or (entry.event == Event.CHANGE_REOPENED and entry.by.kind is ActorKind.PERSON):
        told += _requester(change, Kind.CHANGE_DECIDED)
    return Notice(change, told)


def _given(entry: StreamEntry) -> Notice | None:
    """Who is asked next, and in whose place this one was given."""
    notice, principal = _asking(entry), entry.by.on_behalf_of
    if notice is None or not UUID_TEXT.fullmatch(principal):
        return notice
    return Notice(notice.subject, (*notice.told, *each([UUID(principal)], Kind.ACCOUNT, Relation.PRINCIPAL)))


def _account(entry: StreamEntry) -> Notice | None:
    """Whose account it is, whoever did it."""
    # A token is its owner's; everything else is about the person themselves, whoever else the entry names.
    person = person_named(entry.subject if entry.subject.kind == "person" else entry.ref("person"))
    if person is None or (entry.event == Event.IDENTITY_ADDED and entry.details.get("value") == person.email):
        return None  # the address somebody joined with is no news to them
    return Notice(person, each(standing_ids([person]), Kind.ACCOUNT, Relation.HOLDER))


def _lapsed(entry: StreamEntry) -> Notice | None:
    change = change_named(entry.ref("change"))
    sign_off = SignOff.objects.select_related("person__merged_into").filter(public_id=entry.subject.id).first()
    if change is None or sign_off is None:
        return None
    return Notice(change, each(standing_ids([sign_off.person]), Kind.SIGN_OFF_LAPSED, Relation.SIGNER))


def _named(kind: Kind, relation: Relation) -> "Teller":
    """Whoever the entry itself names, besides who did it."""

    def tell(entry: StreamEntry) -> Notice | None:
        change = change_named(entry.ref("change"))
        named = {UUID(one.id) for one in entry.refs if one.kind == "person" and UUID_TEXT.fullmatch(one.id)}
        return Notice(change, each(named, kind, relation)) if change else None

    return tell


def _decided(kind: Kind) -> "Teller":
    """What became of a change: its requester and whoever it names as told."""

    def tell(entry: StreamEntry) -> Notice | None:
        change = change_named(entry.subject)
        if change is None:
            return None
        return Notice(change, (*_requester(change, kind), *each(watchers_of(change), Kind.CHANGE_WATCHED, Relation.WATCHER)))

    return tell


def _commented(entry: StreamEntry) -> Notice | None:
    change = change_named(entry.subject)
    if change is None:
        return None
    mentions = entry.data.get("mentions")
    named = {UUID(text) for text in mentions if UUID_TEXT.fullmatch(str(text))} if isinstance(mentions, list) else set()
    return Notice(
        change,
        (
            *each(named, Kind.MENTIONED, Relation.MENTIONED),
            *_requester(change, Kind.COMMENTED),
            *each(watchers_of(change), Kind.COMMENTED, Relation.WATCHER),
            *each(speakers_of(change, before=entry.at), Kind.COMMENTED, Relation.SPEAKER),
        ),
    )


def _requester(change: Change, kind: Kind) -> tuple[Told, ...]:
    return each(standing_ids([change.requester]), kind, Relation.REQUESTER)


def _deployed(kind: Kind) -> "Teller":
    """What went wrong in a place: whoever answers for it, operates it, ordered it or asked for it."""

    def tell(entry: StreamEntry) -> Notice | None:
        order = deployment_named(entry.subject)
        if order is None or _is_told_by_way_back(entry, order):
            return None
        service = order.target.service
        told = each(owners_ids(service), kind, Relation.OWNER) + each(operators_ids(service), kind, Relation.OPERATOR)
        return Notice(order, told + _around(order, kind))

    return tell


def _is_told_by_way_back(entry: StreamEntry, order: Deployment) -> bool:
    """One that failed and is rolled back is told once, by the order of its way back."""
    return entry.event == Event.DEPLOYMENT_FAILED and Deployment.objects.filter(undoes=order).exists()


def _refused(entry: StreamEntry) -> Notice | None:
    """An order that waited and was refused at the last moment."""
    order = deployment_named(entry.subject)
    return Notice(order, _around(order, Kind.DEPLOYMENT_FAILED)) if order else None


def _rolled_back(entry: StreamEntry) -> Notice | None:
    """A way back that succeeded; other successes are told to nobody."""
    return _deployed(Kind.DEPLOYMENT_FAILED)(entry) if "undoes" in entry.data else None


def _around(order: Deployment, kind: Kind) -> tuple[Told, ...]:
    """Who ordered it, and who asked for the change."""
    orderer = read_actor(order.ordered_by).person_id
    told = each([orderer] if orderer else [], kind, Relation.ORDERER)
    return told + (_requester(order.leg.change, kind) if order.leg is not None else ())


def _opened(entry: StreamEntry) -> Notice | None:
    """Whoever was told of the deployment that the incident was opened for is not told twice."""
    incident = incident_named(entry.subject)
    if incident is None:
        return None
    known = Delivery.objects.filter(entry_id=incident.opened_for).values_list("person__public_id", flat=True) if incident.opened_for else ()
    service, kind = incident.target.service, Kind.INCIDENT_OPENED
    told = each(owners_ids(service), kind, Relation.OWNER) + each(operators_ids(service), kind, Relation.OPERATOR)
    return Notice(incident, tuple(one for one in told if one.person not in set(known)))


def _delegated(entry: StreamEntry) -> Notice | None:
    delegation = delegation_named(entry.subject)
    if delegation is None:
        return None
    return Notice(delegation, each(standing_ids([delegation.delegate]), Kind.DELEGATION_GIVEN, Relation.DELEGATE))


def _excepted(entry: StreamEntry) -> Notice | None:
    """Whoever may be the second person of an exception; it cannot wait."""
    one = exception_named(entry.subject)
    if one is None:
        return None
    return Notice(one, each(standing_ids(agreers_of(one.leg)), Kind.EXCEPTION_ASKED, Relation.ASKED))


def _proposed(entry: StreamEntry) -> Notice | None:
    """Whoever may be the second person of a proposal."""
    named = Reference("second_hand", entry.subject.id) if entry.event == Event.ADMINISTRATOR_ASKED else entry.subject
    proposal = proposal_named(named, now=entry.at)
    return Notice(proposal, each(confirmers_of(proposal), Kind.PROPOSAL_ASKED, Relation.ASKED)) if proposal else None


def _exception_over(entry: StreamEntry) -> Notice | None:
    """Who asked for an exception that was refused, withdrawn by another, or that nobody decided on."""
    one = exception_named(entry.subject)
    return Notice(one, each(standing_ids([one.asked_by]), Kind.EXCEPTION_DECIDED, Relation.ASKER)) if one else None


def _owed(entry: StreamEntry) -> Notice | None:
    """The team that owes a review, and who asked for the exception."""
    one = exception_named(entry.subject)
    if one is None:
        return None
    return Notice(one, each(members_ids(one.team) | standing_ids([one.asked_by]), Kind.REVIEW_OVERDUE, Relation.DEBTOR))


Teller = Callable[[StreamEntry], Notice | None]
TELLERS: Final[Mapping[str, Teller]] = {
    **dict.fromkeys(ABOUT_ACCOUNTS, _account),
    Event.CHANGE_SUBMITTED: _asking,
    Event.CHANGE_REVISED: _asking,
    Event.CHANGE_REOPENED: _asking,
    Event.SIGN_OFF_GIVEN: _given,
    Event.SIGN_OFF_WITHDRAWN: _asking,
    Event.SIGN_OFF_LAPSED: _lapsed,
    Event.SIGN_OFF_REMINDED: _named(Kind.SIGN_OFF_REMINDED, Relation.ASKED),
    Event.SIGN_OFF_ESCALATED: _named(Kind.SIGN_OFF_REMINDED, Relation.ASKED),
    Event.DELEGATION_GIVEN: _delegated,
    Event.DELEGATION_ENDED: _delegated,
    Event.EXCEPTION_ASKED: _excepted,
    **dict.fromkeys((Event.EXCEPTION_DECLINED, Event.EXCEPTION_WITHDRAWN, Event.EXCEPTION_LAPSED), _exception_over),
    **dict.fromkeys((Event.EXCEPTION_AGREED, Event.EXCEPTION_REMINDED, Event.EXCEPTION_OVERDUE), _owed),
    **dict.fromkeys(PROPOSALS, _proposed),
    Event.CHANGE_SENT_BACK: _decided(Kind.CHANGE_RETURNED),
    Event.CHANGE_FINISHED: _decided(Kind.CHANGE_RETURNED),
    Event.CHANGE_APPROVED: _decided(Kind.CHANGE_DECIDED),
    Event.CHANGE_REJECTED: _decided(Kind.CHANGE_DECIDED),
    Event.CHANGE_WITHDRAWN: _decided(Kind.CHANGE_DECIDED),
    Event.CHANGE_EXPIRED: _decided(Kind.CHANGE_DECIDED),
    Event.CHANGE_COMMENTED: _commented,
    Event.DEPLOYMENT_FAILED: _deployed(Kind.DEPLOYMENT_FAILED),
    Event.ROLLBACK_ORDERED: _deployed(Kind.DEPLOYMENT_FAILED),
    Event.DEPLOYMENT_SUCCEEDED: _rolled_back,
    Event.DEPLOYMENT_REFUSED: _refused,
    Event.DEPLOYMENT_NEEDS_HUMAN: _deployed(Kind.DEPLOYMENT_NEEDS_HUMAN),
    Event.DEPLOYMENT_SILENT: _deployed(Kind.DEPLOYMENT_NEEDS_HUMAN),
    Event.INCIDENT_OPENED: _opened,
}
