"""From what somebody wrote to the changes it means, among those the person may see. Names nobody may see are as unknown as made-up ones."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

from django.contrib.postgres.search import SearchQuery
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from apps.accounts.access import teams
from apps.accounts.models import Person
from apps.catalog.access import services_for
from apps.catalog.models import SCOPE_KINDS, Environment, Ownership
from apps.changes.models import Change, Item, Leg, LegIdentity, Watch
from apps.changes.states import ENDED, OPEN, LegState, values
from apps.core.references import parse_number
from apps.core.words import words_in
from apps.home.search.grammar import Problem, Query, Term, printed_term
from apps.home.search.terms import DAYS, ME
from apps.schedule.facts import SCOPE_SIZE
from apps.schedule.models import CalendarRule, Hold, RuleKind, Slot

STATES = {"open": OPEN, "ended": ENDED}
FEW = 2_000  # as many rows of an index of words are cheaper to sort than the list is to walk
COMPARED = {"": "", "=": "", ">=": "__gte", "<=": "__lte", ">": "__gt", "<": "__lt"}


@dataclass(slots=True)
class Asked:
    """Who asks, when, and what could not be understood while names became rows."""

    person: Person
    now: datetime
    problems: list[Problem] = field(default_factory=list)

    def unknown(self, term: Term, message: str, cure: str) -> Q:
        """Note what is wrong with a term; it matches nothing."""
        self.problems.append(Problem(printed_term(term), message, cure))
        return Q(pk__in=[])


def matching(changes: QuerySet[Change], query: Query, *, person: Person, now: datetime) -> tuple[QuerySet[Change], tuple[Problem, ...]]:
    """The changes for which every term holds; with the problems of names that stand for nothing."""
    asked = Asked(person, now)
    said = [term for term in query.terms if not term.key and not term.is_negated]
    for term in query.terms:
        if term not in said:
            holds = CONDITIONS[term.key](asked, term)
            changes = changes.filter(~holds if term.is_negated else holds)
    if said:
        changes = changes.filter(_said(changes.model.objects.filter(*(_words(asked, term) for term in said))))
    return changes, (*query.problems, *asked.problems)


def _said(found: QuerySet[Change]) -> Q:
    """Changes that hold all words. The database cannot tell a rare word from a common one by its beginning, so it is asked first."""
    few = [*found.order_by().values_list("pk", flat=True)[: FEW + 1]]
    return Q(pk__in=few if len(few) <= FEW else found.values("pk"))


def _words(asked: Asked, term: Term) -> Q:
    """A reference, or the words one after the other, the last of them perhaps not finished."""
    del asked
    if number := parse_number(term.values[0], prefix="CHG"):
        return Q(pk=number)
    words = words_in(term.values[0])
    if not words:
        return Q(pk__in=[])
    *whole, last = (f"'{word}'" for word in words)
    return Q(searched=SearchQuery(" <-> ".join([*whole, f"{last}:*"]), config="simple", search_type="raw"))


def _state(asked: Asked, term: Term) -> Q:
    del asked
    plain = {one for value in term.values for one in STATES.get(value, [value.upper()])}
    return Q(state__in=sorted(str(state) for state in plain))


def _plain(column: str) -> Callable[[Asked, Term], Q]:
    def condition(asked: Asked, term: Term) -> Q:
        del asked
        return Q(**{column: [value.upper() for value in term.values]})

    return condition


def _items(**where: object) -> Q:
    """Changes with such an item; named one by one where they are few, so that no list is walked in search of them."""
    few = [*Item.objects.filter(is_current=True, **where).values_list("change", flat=True)[: FEW + 1]]
    if len(few) <= FEW:
        return Q(pk__in=few)
    return Q(Exists(Item.objects.filter(change=OuterRef("pk"), is_current=True, **where)))


def _service(asked: Asked, term: Term) -> Q:
    known: dict[str, int] = {}
    spelled = [value.lower() for value in term.values]
    rows = services_for(asked.person).filter(_any("name__iexact", term.values) | Q(slug__in=spelled) | Q(aliases__slug__in=spelled))
    for pk, *names in rows.values_list("pk", "slug", "aliases__slug", "name"):
        known |= {name.lower(): pk for name in names if name}
    if missing := [value for value in term.values if value.lower() not in known]:
        return asked.unknown(term, f"No service is called “{missing[0]}”.", "Write its short name, as the page of services shows it.")
    return _items(service__in={known[value] for value in spelled})


def _environment(asked: Asked, term: Term) -> Q:
    spelled = [value.lower() for value in term.values]
    rows = Environment.objects.filter(_any("name__iexact", term.values) | Q(slug__in=spelled) | Q(aliases__slug__in=spelled))
    known = {name.lower(): pk for pk, *names in rows.values_list("pk", "slug", "aliases__slug", "name") for name in names if name}
    if missing := [value for value in term.values if value.lower() not in known]:
        there = ", ".join(Environment.objects.open_now().order_by("rank").values_list("slug", flat=True)[:6])
        return asked.unknown(term, f"No environment is called “{missing[0]}”.", f"There are {there}." if there else "There is none yet.")
    legs = Leg.objects.filter(change=OuterRef("pk"), is_current=True, environment__in={known[value] for value in spelled})
    return Q(Exists(legs))


def _team(asked: Asked, term: Term) -> Q:
    rows = teams().filter(_any("name__iexact", term.values) | Q(slug__in=[value.lower() for value in term.values]))
    known = {name.lower(): pk for pk, *names in rows.values_list("pk", "slug", "name") for name in names}
    if missing := [value for value in term.values if value.lower() not in known]:
        return asked.unknown(term, f"No team is called “{missing[0]}”.", "Write its short name, as the page of people shows it.")
    return _items(service__team__in={known[value.lower()] for value in term.values})


def _people(asked: Asked, term: Term) -> set[int] | None:
    """The row ids of everybody the values name, those merged into them too; None where a value names nobody."""
    named = [value for value in term.values if value != ME]
    found = {asked.person.pk} if ME in term.values else set()
    if named:
        known = _called(named)
        if missing := [value for value in named if not known[value]]:
            asked.unknown(term, f"Nobody is called “{missing[0]}”.", 'Write @me, @bo, an address, or a name like "Bo Owner".')
            return None
        found |= {pk for value in named for pk in known[value]}
    return found | {*Person.objects.filter(merged_into__in=found).values_list("pk", flat=True)}


def _called(named: Iterable[str]) -> dict[str, set[int]]:
    """By what was written, everybody it may mean: by address or whole name, then by what stands before the @, then by a part of the name."""
    bare = {value: value.removeprefix("@").lower() for value in named}
    begins = _any("email__istartswith", [f"{one}@" for one in bare.values()])
    rows = Person.objects.filter(_any("name__icontains", bare.values()) | _any("email__iexact", bare.values()) | begins)
    known = [
        (merged or pk, name.lower(), email.lower()) for pk, merged, name, email in rows.values_list("pk", "merged_into", "name", "email")
    ]
    return {
        value: {pk for pk, name, email in known if said in {name, email}}
        or {pk for pk, _, email in known if email.startswith(f"{said}@")}
        or {pk for pk, name, _ in known if said in name.split()}
        for value, said in bare.items()
    }


def _requester(asked: Asked, term: Term) -> Q:
    people = _people(asked, term)
    return Q(pk__in=[]) if people is None else Q(requester__in=people)


def _owner(asked: Asked, term: Term) -> Q:
    people = _people(asked, term)
    if people is None:
        return Q(pk__in=[])
    return _items(service__in=[*Ownership.objects.filter(person__in=people, ended_at__isnull=True).values_list("service", flat=True)])


def _identity(*kinds: str) -> Callable[[Asked, Term], Q]:
    def condition(asked: Asked, term: Term) -> Q:
        del asked
        begins = _any("identity__startswith", [f"{kind}:{value}" for kind in kinds for value in term.values])
        return Q(pk__in=LegIdentity.objects.filter(begins, leg__is_current=True).values("leg__change"))

    return condition


def _day(column: str) -> Callable[[Asked, Term], Q]:
    def condition(asked: Asked, term: Term) -> Q:
        return _any(column, [day_begins(value, now=asked.now) for value in term.values])

    return condition


def day_begins(value: str, *, now: datetime) -> datetime:
    """The moment a day begins in the reader's zone."""
    today = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    if back := DAYS.fullmatch(value):
        return today - timedelta(days=int(back[1]))
    return datetime.fromisoformat(value).replace(tzinfo=timezone.get_current_timezone())


def _is(asked: Asked, term: Term) -> Q:
    return reduce(or_, (IS[value](asked) for value in term.values))


def _mine(asked: Asked) -> Q:
    return Q(requester=asked.person.pk) | Q(requester__in=Person.objects.filter(merged_into=asked.person.pk))


def _watched(asked: Asked) -> Q:
    return Q(pk__in=Watch.objects.filter(person=asked.person.pk).values("change"))


def _overdue(asked: Asked) -> Q:
    """Open, and its period or the slot of a part that did not begin is over."""
    late = Slot.objects.filter(leg__change=OuterRef("pk"), leg__is_open=True, leg__state=LegState.WAITING, ends_at__lt=asked.now)
    return Q(state__in=values(OPEN)) & (Q(not_after__lt=asked.now) | Q(Exists(late)))


def _frozen(asked: Asked) -> Q:
    rules = CalendarRule.objects.filter(lifted_at__isnull=True, live_until__gt=asked.now, kind=RuleKind.FREEZE)
    return _within(rule.scope for rule in rules if any(stretch.holds(asked.now) for stretch in rule.covers))


def _held(asked: Asked) -> Q:
    del asked
    return _within(Hold.objects.filter(lifted_at__isnull=True).values_list("scope", flat=True))


def _within(scopes: Iterable[int]) -> Q:
    """Open changes with a part that can still go and lies in one of the scopes."""
    inside = Q(pk__in=[])
    for scope in set(scopes):
        kind, pk = divmod(scope, SCOPE_SIZE)
        column = SCOPE_COLUMNS[SCOPE_KINDS[kind]]
        inside |= Q(**{column: pk}) if column else Q(is_open=True)
    return Q(state__in=values(OPEN)) & Q(Exists(Leg.objects.filter(inside, change=OuterRef("pk"), is_open=True)))


def _risk(asked: Asked, term: Term) -> Q:
    """By its points; a change that was never submitted has none."""
    del asked
    return _any(f"risk{COMPARED[term.op]}", [int(value) for value in term.values])


def _label(asked: Asked, term: Term) -> Q:
    del asked
    return Q(labels__overlap=[*term.values])


def _version(asked: Asked, term: Term) -> Q:
    del asked
    return _items(label__in=term.values)


def _any(lookup: str, said: Iterable[object]) -> Q:
    return reduce(or_, (Q(**{lookup: value}) for value in said))


SCOPE_COLUMNS = {
    "EVERYTHING": "",
    "ENVIRONMENT": "environment",
    "TIER": "service__tier",
    "TEAM": "service__team",
    "SERVICE": "service",
    "TARGET": "target",
}
IS: dict[str, Callable[[Asked], Q]] = {"mine": _mine, "watched": _watched, "overdue": _overdue, "frozen": _frozen, "held": _held}
CONDITIONS: dict[str, Callable[[Asked, Term], Q]] = {
    "": _words,
    "state": _state,
    "service": _service,
    "env": _environment,
    "team": _team,
    "kind": _plain("kind__in"),
    "aspect": _plain("aspects__overlap"),
    "outcome": _plain("outcome__in"),
    "risk": _risk,
    "owner": _owner,
    "requester": _requester,
    "label": _label,
    "version": _version,
    "commit": _identity("git"),
    "digest": _identity("sha256", "config"),
    "before": _day("created_at__lt"),
    "after": _day("created_at__gte"),
    "is": _is,
}
