"""allauth's forms for the second factor, made stricter: our origin alone, counters that only go up, codes that count once."""

from typing import Any

from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.base.internal.flows import check_rate_limit
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import AuthenticateWebAuthnForm, LoginWebAuthnForm, ReauthenticateWebAuthnForm
from django.core.exceptions import ValidationError
from django.db import transaction
from fido2.webauthn import AuthenticationResponse

from apps.accounts.enrolment import MALFORMED
from apps.accounts.factors import SAID, Spent, spend_code, use_passkey
from apps.accounts.forms import Answer
from apps.accounts.models import Person
from apps.accounts.relying_party import relying_party
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import system
from apps.core.locks import database_now
from apps.core.refusals import Refused

LONGEST_CODE = 40
NOT_TAKEN = "The passkey’s answer does not fit what was asked. Try again."
NOT_A_CODE = "This is neither the code your app shows now nor a recovery code that is left."


class _Codes:
    """A code of the app counts once, here and for signatures alike; a recovery code counts once by allauth's own lock."""

    user: Person
    authenticator: Authenticator
    cleaned_data: dict[str, Any]

    def clean_code(self) -> str:
        """Count the attempt, then try the app, then the recovery codes."""
        forget_attempts = check_rate_limit(self.user)
        code = str(self.cleaned_data["code"])
        kinds = {row.type: row for row in Authenticator.objects.filter(user=self.user)}
        with transaction.atomic():
            spent = spend_code(self.user, code, at=database_now()) if len(code) <= LONGEST_CODE else Spent.WRONG
        if spent is Spent.TAKEN:
            self.authenticator = kinds[Authenticator.Type.TOTP]
        elif spent is not Spent.USED and self._recovers(kinds.get(Authenticator.Type.RECOVERY_CODES), code):
            self.authenticator = kinds[Authenticator.Type.RECOVERY_CODES]
        else:
            _record_refusal(self.user, "code used before" if spent is Spent.USED else "wrong code")
            raise ValidationError(SAID[Spent.USED] if spent is Spent.USED else NOT_A_CODE)
        self.authenticator.user = self.user
        forget_attempts()
        return code

    def _recovers(self, row: Authenticator | None, code: str) -> bool:
        if row is None or len(code) > LONGEST_CODE:
            return False
        wrapped = row.wrap()
        if not wrapped.validate_code(code):
            return False
        left = len(wrapped.get_unused_codes())
        with transaction.atomic():
            named = {"name": self.user.name}
            record(Event.RECOVERY_CODE_USED, subject=self.user, by=self.user.actor, at=database_now(), data={"left": left}, details=named)
        return True


class Code(_Codes, AuthenticateForm):  # type: ignore[misc]  # allauth ships no types
    """The second factor while signing in."""


class CodeAgain(_Codes, ReauthenticateForm):  # type: ignore[misc]  # allauth ships no types
    """The second factor of somebody signed in."""


class _Passkeys:
    """An assertion is taken from our own origin alone, of a person who can act, with a counter that has gone up."""

    def clean_credential(self) -> Authenticator:
        """Let allauth check challenge, signature and person; then check what it does not."""
        given = self.cleaned_data["credential"]  # type: ignore[attr-defined]  # of the form this stands before
        answer = _read(given)
        try:
            found: Authenticator = super().clean_credential()  # type: ignore[misc]  # of the form this stands before
        except MALFORMED as error:
            raise ValidationError(NOT_TAKEN) from error
        data = answer.response.authenticator_data
        by = found.user.actor
        try:
            with transaction.atomic():
                use_passkey(answer.raw_id, sign_count=data.counter, user_verified=data.is_user_verified(), by=by, at=database_now())
        except Refused as error:
            _record_passkey_refusal(found.user, error)
            raise ValidationError(str(error.refusal)) from error
        return found


def _read(given: object) -> AuthenticationResponse:
    try:
        if not isinstance(given, dict):
            raise ValidationError(NOT_TAKEN)
        answer = AuthenticationResponse.from_dict(given)
        if answer.response.client_data.origin != relying_party().origin:
            raise ValidationError(NOT_TAKEN)
    except MALFORMED as error:
        raise ValidationError(NOT_TAKEN) from error
    return answer


class Passkey(_Passkeys, AuthenticateWebAuthnForm):  # type: ignore[misc]  # allauth ships no types
    """A passkey as the second factor."""

    credential = Answer()


class PasskeyAgain(_Passkeys, ReauthenticateWebAuthnForm):  # type: ignore[misc]  # allauth ships no types
    """A passkey of somebody signed in."""

    credential = Answer()


class PasskeyAlone(_Passkeys, LoginWebAuthnForm):  # type: ignore[misc]  # allauth ships no types
    """A passkey in place of address and password."""

    credential = Answer()


def _record_refusal(person: Person, what: str) -> None:
    with transaction.atomic():
        record(
            Event.PROOF_REFUSED,
            subject=person,
            by=system("sign_in"),
            at=database_now(),
            data={"what": what},
            details={"name": person.name},
        )


def _record_passkey_refusal(person: Person, error: Refused) -> None:
    with transaction.atomic():
        data, details = {"code": error.refusal.code}, {"name": person.name}
        record(Event.PASSKEY_REFUSED, subject=person, by=system("sign_in"), at=database_now(), data=data, details=details)
