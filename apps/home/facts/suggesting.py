"""What could stand where somebody is writing a search: only what they may see, and never more than a few."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from apps.accounts.access import people_like, teams
from apps.accounts.models import Person
from apps.catalog.access import environments_in_order, services_for
from apps.changes.access import changes_for
from apps.home.search.grammar import CONTROL, LONGEST, Term, printed_term
from apps.home.search.terms import IS_WORDS, ME, SPECS, Spec, Takes

MOST, LOOKED_AT = 8, 200
EVERY = "*"
LAST = re.compile(
    r'(?P<minus>-?)(?:(?P<key>[A-Za-z_]+):(?P<op>>=|<=|>|<|=)?(?P<done>(?:(?:"[^"]*"|[^\s",]+),)*))?(?P<part>"[^"]*|[^\s",]*)\Z'
)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One way to go on: the whole search then, what is shown of it, and what it means."""

    fill: str
    word: str
    hint: str


def suggestions(person: Person, text: str) -> list[Suggestion]:
    """What the last word of the search could become."""
    if len(text) > LONGEST or CONTROL.search(text):
        return []
    found = LAST.search(text)
    if found is None:
        return []
    head, part = text[: found.start()], found["part"].lstrip('"').lower()
    if found["key"] is None:
        return keys(head + found["minus"], part)
    spec = SPECS.get(found["key"].lower())
    if spec is None:
        return []
    before = f"{head}{found['minus']}{spec.key}:{found['op'] or ''}{found['done']}"
    return [
        Suggestion(f"{before}{quoted(value, spec)} ", f"{spec.key}:{value}", hint) for value, hint in values_for(spec, person, part)[:MOST]
    ]


def keys(head: str, part: str) -> list[Suggestion]:
    """The terms there are, those that begin alike first written."""
    return [Suggestion(f"{head}{key}:", f"{key}:", spec.hint) for key, spec in SPECS.items() if key.startswith(part)][: 2 * MOST]


def quoted(value: str, spec: Spec) -> str:
    """A value as it is written behind a colon; a number brings its own comparison."""
    if spec.takes is Takes.NUMBER:
        return value
    return printed_term(Term("label", (value,))).removeprefix("label:")


def values_for(spec: Spec, person: Person, part: str) -> list[tuple[str, str]]:
    """Values of one kind that hold what was written, each with what it means."""
    if spec.takes is Takes.CHOICE:
        return [(choice, IS_WORDS.get(choice, "")) for choice in spec.choices if part.replace("-", "_") in choice]
    look = LOOKS.get(spec.key)
    return look(person, part) if look else []


def named_services(person: Person, text: str) -> list[Suggestion]:
    """What the last of several short names with commas between could become; behind a comma nothing is offered before a letter."""
    head, comma, part = text.rpartition(",")
    part = part.strip().lower()
    if CONTROL.search(text) or (comma and not part):
        return []
    given = {word.strip() for word in head.split(",")}
    before = f"{head}{comma} " if comma else ""
    found = services_for(person, text=part).filter(retired_at__isnull=True).exclude(slug__in=given)[:MOST]
    every = [] if text.strip() else [Suggestion(EVERY, EVERY, "every service, also those to come")]
    return [*every, *(Suggestion(f"{before}{one.slug}, ", one.slug, f"{one.name}, {one.team.name}") for one in found)]


def _services(person: Person, part: str) -> list[tuple[str, str]]:
    found = services_for(person, text=part).filter(retired_at__isnull=True)[:MOST]
    return [(one.slug, one.name) for one in found]


def _environments(person: Person, part: str) -> list[tuple[str, str]]:
    del person
    return [(one.slug, one.name) for one in environments_in_order() if part in one.slug or part in one.name.lower()]


def _teams(person: Person, part: str) -> list[tuple[str, str]]:
    del person
    return [(one.slug, one.name) for one in teams().filter(name__icontains=part)[:MOST]]


def _people(person: Person, part: str) -> list[tuple[str, str]]:
    me = [(ME, person.name)] if ME.startswith(part) or part in person.name.lower() else []
    return [*me, *((one.email, one.name) for one in people_like(part.lstrip("@"), limit=MOST) if one.pk != person.pk)]


def _labels(person: Person, part: str) -> list[tuple[str, str]]:
    recent = changes_for(person).order_by("-pk").values_list("labels", flat=True)[:LOOKED_AT]
    return [(label, "") for label in in_order(label for labels in recent for label in labels) if part in label.lower()]


def _days(person: Person, part: str) -> list[tuple[str, str]]:
    del person
    return [
        (f"{days}d", said)
        for days, said in ((0, "today"), (1, "yesterday"), (7, "a week ago"), (30, "thirty days ago"))
        if f"{days}d".startswith(part)
    ]


def _risks(person: Person, part: str) -> list[tuple[str, str]]:
    del person
    return [] if part else [(">=25", "high"), (">=12", "medium or high"), ("<12", "low")]


def in_order(words: Iterable[str]) -> list[str]:
    """Each word once, in order."""
    return sorted(set(words))


LOOKS: dict[str, Callable[[Person, str], list[tuple[str, str]]]] = {
    "service": _services,
    "env": _environments,
    "team": _teams,
    "owner": _people,
    "requester": _people,
    "label": _labels,
    "before": _days,
    "after": _days,
    "risk": _risks,
}
