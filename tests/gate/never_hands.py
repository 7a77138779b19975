"""How people sign in generated histories: by a passkey of theirs where they have one, else by what the factories give them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from apps.accounts.models import Passkey, Person
from apps.approvals.actions import agree_exception as agree_to_drafted
from apps.approvals.actions import ask_exception as ask_drafted
from apps.approvals.actions import draft_exception, draft_exception_agreement, draft_statement, sign_statement
from apps.approvals.exception_statement import exception_challenge
from apps.approvals.models import LegException, SignOff
from apps.approvals.statement import challenge_of
from apps.approvals.steps import Choice, Plea, Signed, signer
from apps.changes.models import Change, Leg
from tests.factories import proving
from tests.factories.accounts import make_passkey
from tests.factories.approvals import newest
from tests.factories.signing import asserted

Keys = dict[bytes, EllipticCurvePrivateKey]


@dataclass
class Hands:
    """The authenticators that people hold, by the id of what is enrolled."""

    keys: Keys = field(default_factory=dict)

    def enrol(self, person: Person, at: datetime, **more: Any) -> Passkey:
        """Somebody has one more passkey."""
        passkey, private = make_passkey(person, enrolled_at=at, **more)
        self.keys[bytes(passkey.credential_id)] = private
        return passkey

    def passkey_of(self, person: Person) -> Passkey | None:
        """The one they sign with."""
        return Passkey.objects.filter(person=person, removed_at=None).order_by("pk").last()

    def assertion(self, passkey: Passkey, challenge: bytes, **more: Any) -> Any:
        """What it answers; its counter goes on."""
        private = self.keys[bytes(passkey.credential_id)]
        return asserted(passkey, private, b"", **{"challenge": challenge, "sign_count": passkey.sign_count + 1, **more})

    def agree(self, change: Change, person: Person, now: datetime) -> SignOff:
        return self.decide(change, person, Choice("APPROVE", newest(change).digest, "", ""), now)

    def reject(self, change: Change, person: Person, now: datetime) -> SignOff:
        return self.decide(change, person, Choice("REJECT", newest(change).digest, "No."), now)

    def decide(self, change: Change, person: Person, choice: Choice, now: datetime) -> SignOff:
        """Read, prove, sign."""
        passkey = self.passkey_of(person)
        if passkey is None:
            verb = proving.approve_change if choice.decision == "APPROVE" else proving.reject_change
            return verb(change_id=change.pk, revision_digest=choice.revision_digest, by=person.actor, reason=choice.reason, now=now)
        by = signer(person)
        data = draft_statement(change_id=change.pk, choice=choice, by=by, now=now)
        signed = Signed(data, assertion=self.assertion(passkey, challenge_of(data)))
        return sign_statement(change_id=change.pk, signed=signed, by=by, now=now)

    def ask_exception(self, leg: Leg, plea: Plea, person: Person, now: datetime) -> LegException:
        passkey = self.passkey_of(person)
        if passkey is None:
            return proving.ask_exception(leg_id=leg.pk, plea=plea, by=person.actor, now=now)
        by = signer(person)
        data = draft_exception(leg_id=leg.pk, plea=plea, by=by, now=now)
        return ask_drafted(leg_id=leg.pk, signed=Signed(data, assertion=self.assertion(passkey, exception_challenge(data))), by=by, now=now)

    def agree_exception(self, one: LegException, person: Person, now: datetime) -> LegException:
        passkey = self.passkey_of(person)
        if passkey is None:
            return proving.agree_exception(exception_id=one.pk, by=person.actor, now=now)
        by = signer(person)
        data = draft_exception_agreement(exception_id=one.pk, by=by, now=now)
        signed = Signed(data, assertion=self.assertion(passkey, exception_challenge(data)))
        return agree_to_drafted(exception_id=one.pk, signed=signed, by=by, now=now)
