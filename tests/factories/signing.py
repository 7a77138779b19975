"""Signing as people do: a statement is put before them, and a passkey or a password proves that they sign that one."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from django.utils import timezone

from apps.accounts.factors import ProvedByCode, relying_party
from apps.accounts.models import Passkey, Person
from apps.approvals.actions import draft_statement, sign_statement
from apps.approvals.models import SignOff
from apps.approvals.statement import challenge_of
from apps.approvals.steps import Choice, Signed, signer
from apps.changes.models import Change
from apps.core.actors import Actor
from apps.core.assertions import Assertion, read_assertion
from tests.factories.accounts import make_passkey, sign_assertion
from tests.factories.approvals import newest


class Signer:
    """A person with a passkey of their own, and what its authenticator counts."""

    def __init__(self, person: Person, **fields: Any) -> None:
        self.person = person
        self.passkey, self.private = make_passkey(person, **{"enrolled_at": timezone.now() - timedelta(days=365), **fields})
        self.count = 0

    @property
    def by(self) -> Actor:
        """Who signs."""
        return signer(self.person)

    def statement(self, change: Change, decision: str = "APPROVE", **more: Any) -> bytes:
        """The statement as it is put before them."""
        choice = Choice(decision, newest(change).digest, **more)
        return draft_statement(change_id=change.pk, choice=choice, by=self.by)

    def assertion(self, data: bytes, **more: Any) -> Assertion:
        """What the passkey answers when it is asked to sign a statement."""
        self.count += 1
        return asserted(self.passkey, self.private, data, **{"sign_count": self.count, **more})

    def sign(self, change: Change, decision: str = "APPROVE", *, now: datetime | None = None, **more: Any) -> SignOff:
        """Read, sign, done."""
        data = self.statement(change, decision, **more)
        return sign_statement(change_id=change.pk, signed=Signed(data, assertion=self.assertion(data)), by=self.by, now=now)


def asserted(passkey: Passkey, private: EllipticCurvePrivateKey, data: bytes, **more: Any) -> Assertion:
    """An assertion over a statement, or, with `challenge`, over something else."""
    party = relying_party()
    given = {"credential_id": bytes(passkey.credential_id), "challenge": challenge_of(data), **more}
    return read_assertion(json.dumps(sign_assertion(private, **given)), rp_id=party.id, origin=party.origin)


def proved(person: Person, *, at: datetime | None = None, method: str = "PASSWORD") -> ProvedByCode:
    """That somebody has just typed their password."""
    return replace(ProvedByCode(person.public_id, at or timezone.now()), method=method)
