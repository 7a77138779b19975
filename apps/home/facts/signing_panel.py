"""The statement that is put before a person, and the way to sign it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from apps.accounts.factors import Means, means_of, passkeys_of, relying_party
from apps.accounts.models import Person
from apps.approvals.facts import review_facts
from apps.approvals.rules import PASSKEY, PASSWORD_AND_CODE
from apps.approvals.statement import GOOD_FOR, challenge_of
from apps.changes.models import Change
from apps.core.assertions import base64url
from apps.home.facts.stating import ToldStatement, member_text, told_statement

ASK_SECONDS = 120
MADE_EACH_TIME = frozenset({"at", "nonce"})


@dataclass(frozen=True, slots=True)
class Panel(ToldStatement):
    """One statement, ready to be read and signed."""

    good_until: datetime
    means: Means
    asked: str  # what the browser asks a passkey for, as JSON

    @property
    def is_by_passkey(self) -> bool:
        """Whether a passkey signs it."""
        return self.said.by.get("credential") == PASSKEY

    @property
    def needs_code(self) -> bool:
        """Whether a code of the authenticator app is asked for beside the password."""
        return self.said.by.get("credential") == PASSWORD_AND_CODE


def panel_of(change: Change, person: Person, data: bytes) -> Panel:
    """Put a statement of ours before the person who is to sign it."""
    told = told_statement(data, review=review_facts(change))
    return Panel(
        **{one.name: getattr(told, one.name) for one in fields(told)},
        good_until=told.said.at + GOOD_FOR,
        means=means_of(person),
        asked=json.dumps(passkey_options(person, challenge_of(data))) if told.said.by.get("credential") == PASSKEY else "",
    )


def passkey_options(person: Person, challenge: bytes) -> dict[str, object]:
    """What the browser asks the person's passkeys for: a signature over this statement, given by somebody it has verified."""
    return {
        "challenge": base64url(challenge),
        "rpId": relying_party().id,
        "allowCredentials": [{"type": "public-key", "id": base64url(one.credential_id)} for one in passkeys_of(person)],
        "userVerification": "required",
        "timeout": ASK_SECONDS * 1000,
    }


def statement_changes(older: bytes, newer: bytes) -> list[dict[str, object]]:
    """Which members two statements differ in, in the shape of the diff component."""
    was, now = json.loads(older), json.loads(newer)
    names = sorted((set(was) | set(now)) - MADE_EACH_TIME)
    return [_row(name, was, now) for name in names if was.get(name) != now.get(name)]


def _row(name: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, object]:
    told = {word: member_text(side[name]) if name in side else "" for word, side in (("was", was), ("now", now))}
    return {"part": name.capitalize(), "field": "", **told, "note": "", "outside": False}
