"""The statement that is put before a person: told from the very bytes that are signed, and the way to sign them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.accounts.factors import Means, means_of, passkeys_of, relying_party
from apps.accounts.models import Person
from apps.approvals.facts import review_facts
from apps.approvals.models import Decision
from apps.approvals.rules import PASSKEY, PASSWORD_AND_CODE, ReviewFacts, group_words
from apps.approvals.statement import GOOD_FOR, Statement, challenge_of, read_statement
from apps.changes.content import PARTS
from apps.changes.models import Change
from apps.core.assertions import base64url
from apps.core.canonical import canonical_bytes
from apps.home.facts.telling import listed

ASK_SECONDS = 120
MADE_EACH_TIME = frozenset({"at", "nonce"})


@dataclass(frozen=True, slots=True)
class Panel:
    """One statement, ready to be read and signed."""

    said: Statement
    data: bytes
    lines: list[str]
    rules: list[str]
    as_whom: str
    places: str
    covers: list[str]
    in_place_of: str  # whom the person stands in for; empty: they speak for themselves
    good_until: datetime
    means: Means
    asked: str  # what the browser asks a passkey for, as JSON

    @property
    def is_rejection(self) -> bool:
        """Whether it says no."""
        return self.said.decision == Decision.REJECT

    @property
    def verb(self) -> str:
        """What it does, in one word."""
        return "reject" if self.is_rejection else "approve"

    @property
    def covers_words(self) -> str:
        """The parts, as a sentence names them."""
        return listed(self.covers)

    @property
    def is_by_passkey(self) -> bool:
        """Whether a passkey signs it."""
        return self.said.by.get("credential") == PASSKEY

    @property
    def needs_code(self) -> bool:
        """Whether a code of the authenticator app is asked for beside the password."""
        return self.said.by.get("credential") == PASSWORD_AND_CODE


def panel_of(change: Change, person: Person, data: bytes) -> Panel:
    """Tell a statement of ours. Names of places and groups are looked up; everything else stands in the bytes."""
    said = read_statement(data)
    means = means_of(person)
    labels, groups, places = _spoken_for(said, review_facts(change))
    return Panel(
        said=said,
        data=data,
        lines=lines_of(data),
        rules=labels,
        as_whom=listed(groups) if groups else "",
        places=listed(places) if places else "",
        covers=[part for part in PARTS if part in said.covers],
        in_place_of=_name(said.by.get("on_behalf_of", "")),
        good_until=said.at + GOOD_FOR,
        means=means,
        asked=json.dumps(passkey_options(person, data)) if said.by.get("credential") == PASSKEY else "",
    )


def _name(person_id: str) -> str:
    return Person.objects.values_list("name", flat=True).get(public_id=person_id) if person_id else ""


def passkey_options(person: Person, data: bytes) -> dict[str, object]:
    """What the browser asks the person's passkeys for: a signature over this statement, given by somebody it has verified."""
    return {
        "challenge": base64url(challenge_of(data)),
        "rpId": relying_party().id,
        "allowCredentials": [{"type": "public-key", "id": base64url(one.credential_id)} for one in passkeys_of(person)],
        "userVerification": "required",
        "timeout": ASK_SECONDS * 1000,
    }


def lines_of(data: bytes) -> list[str]:
    """The members of a statement one to a line, as they stand in the bytes."""
    members = json.loads(data)
    return [f'"{name}":{_text(members[name])}' for name in sorted(members)]


def statement_changes(older: bytes, newer: bytes) -> list[dict[str, object]]:
    """Which members two statements differ in, in the shape of the diff component."""
    was, now = json.loads(older), json.loads(newer)
    names = sorted((set(was) | set(now)) - MADE_EACH_TIME)
    return [_row(name, was, now) for name in names if was.get(name) != now.get(name)]


def _row(name: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, object]:
    told = {word: _text(side[name]) if name in side else "" for word, side in (("was", was), ("now", now))}
    return {"part": name.capitalize(), "field": "", **told, "note": "", "outside": False}


def _text(value: object) -> str:
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
