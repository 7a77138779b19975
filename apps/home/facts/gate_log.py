"""The gate's log: from what somebody wrote to the evaluations it means, with the names that people read."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from apps.accounts.models import Person
from apps.catalog.access import services_for, services_hidden_from
from apps.catalog.models import Environment, Target
from apps.changes.access import changes_for
from apps.changes.models import Leg
from apps.core.ids import moment_in
from apps.core.references import parse_number
from apps.gate.log import Asked, Page, Wanted, log_page
from apps.gate.models import GateToken
from apps.gate.rules import RULES
from apps.home.search.gate_terms import GATE_SPECS, VERDICT_WORDS, VERDICTS
from apps.home.search.grammar import Problem, Query, Term, parse, printed, printed_term
from apps.home.search.matching import day_begins
from apps.home.search.terms import HEX, words_of

PAGE = 25
CODES = frozenset(code for rule in RULES for code in rule.codes)
VIEWS = {"All": "", "No": "verdict:deny", "Not yet": "verdict:pending", "Yes": "verdict:allow"}
ONCE = frozenset({"change", "commit", "digest", "since", "before"})
LAST_YEAR = 9_999


@dataclass(frozen=True, slots=True)
class Line:
    """One evaluation as the log shows it."""

    asked: Asked
    target: Target | None
    token: GateToken | None
    ref: str = ""  # of the change it was judged by, where the reader may see it

    @property
    def service(self) -> str:
        """The service by its name, or by the word that was asked for."""
        return self.target.service.name if self.target else self.asked.question.service

    @property
    def environment(self) -> str:
        """The environment likewise."""
        return self.target.environment.name if self.target else self.asked.question.environment


@dataclass(frozen=True, slots=True)
class Log:
    """One page of the log, and how the search was read."""

    lines: list[Line]
    query: Query
    page: Page
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class Reading:
    """A search on its way to rows: what it wants so far, and what could not be understood."""

    person: Person
    now: datetime
    wanted: Wanted
    problems: list[Problem] = field(default_factory=list)

    def unknown(self, term: Term, message: str, cure: str) -> None:
        """Note what is wrong with a term."""
        self.problems.append(Problem(printed_term(term), message, cure))


def gate_log(person: Person, text: str, *, now: datetime, after: str = "", size: int = PAGE) -> Log:
    """A page of what a person may see; a search that cannot be read shows no rows: half of it would be another one."""
    query = parse(text, specs=GATE_SPECS)
    reading = Reading(person, now, hidden_from(person))
    for term in query.terms:
        seen = [one.key for one in query.terms]
        if term.key in ONCE and (term.is_negated or len(term.values) > 1 or seen.count(term.key) > 1):
            reading.unknown(term, f"{term.key}: stands once, with one value and no minus.", "Search for one after the other.")
        else:
            READ[term.key](reading, term)
    if problems := (*query.problems, *reading.problems):
        return Log([], query, Page([]), problems)
    page = log_page(replace(reading.wanted, after=cursor(after)), size=size)
    return Log(lines_of(page.rows, person=person), query, page)


def lines_of(rows: Iterable[Asked], *, person: Person) -> list[Line]:
    """Evaluations with the names of what they are about: three statements."""
    shown = [*rows]
    targets = Target.objects.select_related("service", "environment").in_bulk({row.target_id for row in shown if row.target_id})
    tokens = GateToken.objects.in_bulk({row.token_id for row in shown})
    refs = {row.id: str(row.record.get("bound", {}).get("change") or "") for row in shown}
    numbers = {number for ref in refs.values() if (number := parse_number(ref, prefix="CHG"))}
    seen = {change.ref for change in changes_for(person).filter(pk__in=numbers)} if numbers else set()
    return [
        Line(row, targets.get(row.target_id or 0), tokens.get(row.token_id), refs[row.id] if refs[row.id] in seen else "") for row in shown
    ]


def hidden_from(person: Person) -> Wanted:
    """Everything but what is about services this person may not see, whatever name they were asked for by."""
    hidden = [*services_hidden_from(person).values_list("pk", "slug", "aliases__slug")]
    if not hidden:
        return Wanted()
    targets = Target.objects.filter(service__in={pk for pk, *_ in hidden}).values_list("pk", flat=True)
    return Wanted(hidden_targets=[*targets], hidden_slugs={slug for _, *slugs in hidden for slug in slugs if slug})


def cursor(text: str) -> UUID | None:
    """Where a page begins; None for anything that names no moment."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    at = moment_in(found)
    return found if at is not None and at.year < LAST_YEAR else None


def words_for(query: Query) -> list[tuple[str, str, str]]:
    """Each term as people read it, and the search without it."""
    found = []
    for term in query.terms:
        rest = printed(query.without(term))
        values = tuple(VERDICT_WORDS.get(value, value) for value in term.values) if term.key == "verdict" else term.values
        if term.key:
            found.append((*words_of(GATE_SPECS[term.key], values, op=term.op, is_negated=term.is_negated), rest))
        else:
            found.append(("words", term.values[0], rest))
    return found


def _verdict(reading: Reading, term: Term) -> None:
    named = {VERDICTS[value] for value in term.values}
    held = named if not term.is_negated else set(VERDICTS.values()) - named
    reading.wanted = replace(reading.wanted, verdicts=held if reading.wanted.verdicts is None else held & set(reading.wanted.verdicts))


def _places(reading: Reading, term: Term, where: Q) -> None:
    """Narrow the targets, or leave some out; those that may not be seen are left out anyway."""
    found = {*Target.objects.filter(where).values_list("pk", flat=True)}
    before = reading.wanted
    if term.is_negated:
        reading.wanted = replace(before, not_targets={*before.not_targets, *found})
    else:
        reading.wanted = replace(before, targets=found if before.targets is None else found & set(before.targets))


def _service(reading: Reading, term: Term) -> None:
    named = [value.lower() for value in term.values]
    known: dict[str, int] = {}
    rows = services_for(reading.person).filter(Q(slug__in=named) | Q(aliases__slug__in=named) | _names(term))
    for pk, *names in rows.values_list("pk", "slug", "aliases__slug", "name"):
        known |= {name.lower(): pk for name in names if name}
    if missing := [value for value in term.values if value.lower() not in known]:
        reading.unknown(term, f"No service is called “{missing[0]}”.", "Write its short name, as the page of services shows it.")
    _places(reading, term, Q(service__in={known[value] for value in named if value in known}))


def _environment(reading: Reading, term: Term) -> None:
    named = [value.lower() for value in term.values]
    rows = Environment.objects.filter(Q(slug__in=named) | Q(aliases__slug__in=named) | _names(term))
    known = {name.lower(): pk for pk, *names in rows.values_list("pk", "slug", "aliases__slug", "name") for name in names if name}
    if missing := [value for value in term.values if value.lower() not in known]:
        reading.unknown(term, f"No environment is called “{missing[0]}”.", "Write its short name, as the page of environments shows it.")
    _places(reading, term, Q(environment__in={known[value] for value in named if value in known}))


def _names(term: Term) -> Q:
    found = Q(pk__in=[])
    for value in term.values:
        found |= Q(name__iexact=value)
    return found


def _code(reading: Reading, term: Term) -> None:
    codes = {value.lower() for value in term.values}
    if missing := sorted(codes - CODES):
        near = sorted(code for code in CODES if missing[0] in code)[:4]
        reading.unknown(term, f"No rule answers with the code “{missing[0]}”.", f"Write one such as {', '.join(near or ['frozen'])}.")
    before = reading.wanted
    if term.is_negated:
        reading.wanted = replace(before, not_codes={*before.not_codes, *codes})
    else:
        reading.wanted = replace(before, codes={*before.codes, *codes})


def _token(reading: Reading, term: Term) -> None:
    asked = Q(pk__in=[])
    for value in term.values:
        asked |= Q(name__iexact=value) | Q(prefix=value)
    found = {*GateToken.objects.filter(asked).values_list("pk", flat=True)}
    if not found:
        reading.unknown(
            term, f"No token is called “{term.values[0]}”.", "Write its whole name, or its first characters as a log shows them."
        )
    before = reading.wanted
    if term.is_negated:
        reading.wanted = replace(before, not_tokens={*before.not_tokens, *found})
    else:
        reading.wanted = replace(before, tokens=found if before.tokens is None else found & set(before.tokens))


def _change(reading: Reading, term: Term) -> None:
    number = parse_number(term.values[0], prefix="CHG")
    change = changes_for(reading.person).filter(pk=number).first() if number else None
    if change is None:
        reading.unknown(term, f"There is no change “{term.values[0]}” that you may see.", "Write it like change:CHG-7.")
        return
    _places(reading, Term("change", term.values), Q(pk__in=Leg.objects.filter(change=change).values("target")))
    reading.wanted = replace(reading.wanted, change=change.ref)


def _identity(*kinds: str) -> Callable[[Reading, Term], None]:
    def read(reading: Reading, term: Term) -> None:
        if reading.wanted.identities:
            reading.unknown(term, "One identity is looked for at a time.", "Take the other one out.")
        reading.wanted = replace(reading.wanted, identities=[f"{kind}:{term.values[0]}" for kind in kinds])

    return read


def _since(reading: Reading, term: Term) -> None:
    reading.wanted = replace(reading.wanted, since=day_begins(term.values[0], now=reading.now))


def _before(reading: Reading, term: Term) -> None:
    reading.wanted = replace(reading.wanted, before=day_begins(term.values[0], now=reading.now))


def _bare(reading: Reading, term: Term) -> None:
    """A reference or digits stand for themselves; other words are in no question."""
    said = term.values[0]
    if not term.is_negated and parse_number(said, prefix="CHG"):
        _change(reading, term)
    elif not term.is_negated and HEX.fullmatch(said.lower()):
        _identity("git", "sha256", "config")(reading, Term("", (said.lower(),)))
    else:
        reading.unknown(term, f"The log is not searched for words such as “{said}”.", f"Use {', '.join(f'{one}:' for one in GATE_SPECS)}.")


READ: dict[str, Callable[[Reading, Term], None]] = {
    "": _bare,
    "verdict": _verdict,
    "service": _service,
    "env": _environment,
    "code": _code,
    "token": _token,
    "change": _change,
    "commit": _identity("git"),
    "digest": _identity("sha256", "config"),
    "since": _since,
    "before": _before,
}
