"""Which open changes an entry of the stream may have taken the agreement from, and why, in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from django.db.models import Q, QuerySet

from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.approvals.facts.policies import policy_facts
from apps.approvals.models import Policy, SignOff
from apps.approvals.policy_body import IMPLEMENTER, MAKERS
from apps.approvals.rules import PolicyFacts
from apps.audit.entries import StreamEntry
from apps.audit.vocabulary import Event
from apps.changes.models import Change, Leg
from apps.changes.states import State
from apps.core.references import UUID_TEXT

JUDGED = (State.IN_REVIEW, State.APPROVED, State.IN_PROGRESS)


@dataclass(frozen=True, slots=True)
class Touched:
    """What an entry may have touched, as a condition on changes, and what to say where it did."""

    where: Q
    reason: str


def touched_by(entry: StreamEntry) -> Touched | None:
    """What an entry bears on; None where it bears on no agreement. It may name too many changes, never too few."""
    teller = TELLERS.get(str(entry.event))
    return teller(entry) if teller else None


def changes_in_doubt(touched: Touched) -> QuerySet[Change]:
    """The changes whose agreement is counted again."""
    return Change.objects.filter(touched.where, state__in=JUDGED)


def _of_person(says: str) -> "Teller":
    """What somebody is or may do: whoever they spoke for, and wherever everyone of a group is asked."""

    def tell(entry: StreamEntry) -> Touched:
        named = [one.id for one in (entry.subject, *entry.refs) if one.kind == "person" and UUID_TEXT.fullmatch(one.id)]
        words = {field: text or "somebody" for field, text in entry.details.items()}
        role = entry.data.get("role")
        reason = says.format(
            **{"name": "Somebody", "team": "a team", "service": "the service", "gone": "Somebody", **words}, role=_held(role)
        )
        return Touched(_signed_by(named) | _in_places(_asks_everyone), reason)

    return tell


def _identity(entry: StreamEntry) -> Touched:
    """Whose commits are whose: known makers are kept out, unknown ones cost one more."""
    return Touched(_in_places(_keeps_authors_out), f"What stands for {entry.details.get('name') or 'somebody'} in repositories changed.")


def _started(entry: StreamEntry) -> Touched | None:
    change = entry.ref("change")
    if change is None:
        return None
    where = Q(public_id=change.id) & _in_places(_keeps_implementers_out)
    return Touched(where, "Whoever has it deployed does not sign what is still to come.")


def _policy(says: str) -> "Teller":
    def tell(entry: StreamEntry) -> Touched:
        legs = Leg.objects.filter(is_current=True, **_named(entry, "environment"), **_named(entry, "service"))
        kind = entry.data.get("kind")
        where = Q(pk__in=legs.values("change")) & (Q(kind=kind) if kind else Q())
        return Touched(where, says.format(name=entry.details.get("name") or "of this place"))

    return tell


def _environment(entry: StreamEntry) -> Touched | None:
    if "change_required" not in entry.data.get("fields", ()):
        return None
    legs = Leg.objects.filter(is_current=True, environment__public_id=entry.subject.id)
    return Touched(Q(pk__in=legs.values("change")), f"{entry.details.get('name') or 'The environment'} asks for something else now.")


def _service(entry: StreamEntry) -> Touched | None:
    if "team_id" not in entry.data.get("fields", ()):
        return None
    legs = Leg.objects.filter(is_current=True, service__public_id=entry.subject.id)
    return Touched(Q(pk__in=legs.values("change")), f"{entry.details.get('name') or 'The service'} belongs to another team now.")


def _model(says: str) -> "Teller":
    def tell(entry: StreamEntry) -> Touched:
        where = Q(made_from__model__public_id=entry.subject.id)
        return Touched(where, says.format(name=entry.details.get("name") or "it was made from"))

    return tell


def _named(entry: StreamEntry, kind: str) -> Mapping[str, str]:
    named = entry.ref(kind)
    return {f"{kind}__public_id": named.id} if named else {}


def _held(role: object) -> str:
    return Role(role).holder if isinstance(role, str) and role in {one.value for one in Role} else "what they were"


def _signed_by(public_ids: list[str]) -> Q:
    """Signed by one of them, or by somebody who is one of them now, or in the place of one."""
    who = Person.objects.filter(Q(public_id__in=public_ids) | Q(merged_into__public_id__in=public_ids)).values("pk")
    given = SignOff.objects.filter(Q(person__in=who) | Q(delegation__person__in=who), withdrawn_at__isnull=True)
    return Q(pk__in=given.values("change"))


def _in_places(asks: Callable[[PolicyFacts], bool]) -> Q:
    """In an environment where a policy asks for something."""
    shelf = Policy.objects.open_now().filter(version__isnull=False).select_related("version")
    places = {policy.environment_id for policy in shelf if (facts := policy_facts(policy)) and asks(facts)}
    return Q(pk__in=Leg.objects.filter(is_current=True, environment__in=places).values("change")) if places else Q(pk__in=())


def _asks_everyone(policy: PolicyFacts) -> bool:
    return any(not rule.needed for rule in policy.rules)


def _keeps_authors_out(policy: PolicyFacts) -> bool:
    return bool(policy.exclude & set(MAKERS))


def _keeps_implementers_out(policy: PolicyFacts) -> bool:
    return IMPLEMENTER in policy.exclude


Teller = Callable[[StreamEntry], Touched | None]
TELLERS: Final[Mapping[str, Teller]] = {
    Event.PERSON_DEACTIVATED: _of_person("{name} is not active any more."),
    Event.PERSON_REACTIVATED: _of_person("{name} is active again."),
    Event.PERSON_MERGED: _of_person("{gone} and {name} are one person."),
    Event.ROLE_GRANTED: _of_person("{name} is {role} now."),
    Event.ROLE_REVOKED: _of_person("{name} is not {role} any more."),
    Event.MEMBERSHIP_STARTED: _of_person("{name} is in {team} now."),
    Event.MEMBERSHIP_ENDED: _of_person("{name} is not in {team} any more."),
    Event.OWNERSHIP_STARTED: _of_person("{name} is an owner of {service} now."),
    Event.OWNERSHIP_ENDED: _of_person("{name} is not that owner of {service} any more."),
    Event.IDENTITY_ADDED: _identity,
    Event.IDENTITY_REMOVED: _identity,
    Event.LEG_STARTED: _started,
    Event.POLICY_WRITTEN: _policy("The policy “{name}” asks for something else now."),
    Event.POLICY_RETIRED: _policy("The policy “{name}” is not in force any more."),
    Event.ENVIRONMENT_CHANGED: _environment,
    Event.SERVICE_CHANGED: _service,
    Event.CHANGE_MODEL_WRITTEN: _model("The model {name} has a new version."),
    Event.CHANGE_MODEL_RETIRED: _model("The model {name} is retired."),
}
