"""A statement told from the very bytes that are signed: names of places and groups are looked up, the rest stands in the bytes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from apps.accounts.models import Person
from apps.approvals.models import Decision, Meaning
from apps.approvals.rules import ReviewFacts, group_words
from apps.approvals.statement import Statement, read_statement
from apps.changes.content import PARTS
from apps.core.canonical import canonical_bytes
from apps.home.facts.signed import meaning_words
from apps.home.facts.telling import listed

VERBS: Mapping[str, str] = {Meaning.APPROVAL: "approve", Meaning.REVIEW: "have reviewed", Meaning.AUTHORISATION: "authorise"}


@dataclass(frozen=True, slots=True)
class ToldStatement:
    """One statement, ready to be read."""

    said: Statement
    data: bytes
    lines: list[str]
    rules: list[str]
    as_whom: str
    places: str
    covers: list[str]
    in_place_of: str  # whom the person stands in for; empty: they speak for themselves
    is_solo: bool  # whether they asked for the change themselves

    @property
    def is_rejection(self) -> bool:
        """Whether it says no."""
        return self.said.decision == Decision.REJECT

    @property
    def verb(self) -> str:
        """What it does, in the word of its meaning."""
        return "reject" if self.is_rejection else VERBS.get(self.said.meaning, "approve")

    @property
    def meaning(self) -> str:
        """What the signature means."""
        return meaning_words(decision=self.said.decision, meaning=self.said.meaning)

    @property
    def covers_words(self) -> str:
        """The parts, as a sentence names them."""
        return listed(self.covers)


def told_statement(data: bytes, *, review: ReviewFacts) -> ToldStatement:
    """Tell a statement about this change; raises NotAStatement."""
    said = read_statement(data)
    labels, groups, places = _spoken_for(said, review)
    return ToldStatement(
        said=said,
        data=data,
        lines=lines_of(data),
        rules=labels,
        as_whom=listed(groups) if groups else "",
        places=listed(places) if places else "",
        covers=[part for part in PARTS if part in said.covers],
        in_place_of=_name(said.by.get("on_behalf_of", "")),
        is_solo=said.person_id == review.requester_id and said.decision == Decision.APPROVE,
    )


def _name(person_id: str) -> str:
    return Person.objects.values_list("name", flat=True).get(public_id=person_id) if person_id else ""


def lines_of(data: bytes) -> list[str]:
    """The members of a statement one to a line, as they stand in the bytes."""
    members = json.loads(data)
    return [f'"{name}":{member_text(members[name])}' for name in sorted(members)]


def member_text(value: object) -> str:
    """One member as it stands in the bytes."""
    return canonical_bytes(value).decode()


def _spoken_for(said: Statement, review: ReviewFacts) -> tuple[list[str], list[str], list[str]]:
    """The rules, the groups and the places of a statement by their names; one that is gone keeps its key."""
    rules: dict[str, None] = {}
    groups: dict[str, None] = {}
    places: dict[str, None] = {}
    for stated in said.rules:
        leg = next((leg for leg in review.legs if str(leg.target_id) == stated.target), None)
        place = f"{leg.service} in {leg.environment}" if leg else stated.target
        rule = next((rule for rule in leg.policy.rules if rule.key == stated.rule), None) if leg and leg.policy else None
        rules[f"{rule.label if rule else stated.rule}, {place}"] = None
        groups[group_words(rule.group, service=leg.service) if leg and rule else stated.group] = None
        places[place] = None
    return list(rules), sorted(groups), sorted(places)
