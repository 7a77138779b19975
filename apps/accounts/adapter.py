"""The one place that speaks with allauth: sign-in by e-mail, nobody signs up by themselves, and what it does is recorded."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.signals import password_changed, password_reset, password_set
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest
from django.urls import reverse

from apps.accounts.envelopes import close, open_again
from apps.accounts.identities import LONGEST, UNKNOWN, normal_email
from apps.accounts.models import Passkey, Person, person_actor
from apps.accounts.presence import end_others, forget_session, remember_session, rename_session
from apps.accounts.relying_party import relying_party
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import Actor, system
from apps.core.locks import database_now
from apps.core.texts import why_not_line

# How somebody proved themselves, as allauth notes it in the session, in words.
MEANS = {
    "password": "password",
    "totp": "code",
    "recovery_codes": "recovery code",
    "webauthn": "passkey",
    "socialaccount": "single sign-on",
}
AGAIN = {"reauthenticate": "Use your password", "mfa_reauthenticate": "Use a code", "mfa_reauthenticate:webauthn": "Use a passkey"}


class FactorsAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth ships no types
    """Passkeys belong to PUBLIC_URL, and no secret lies open in the database."""

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Our domain, whatever host a request names."""
        here = relying_party()
        return {"id": here.id, "name": here.name}

    def is_mfa_enabled(self, user: Person, types: list[str] | None = None) -> bool:
        """Whether something enrolled can be asked for; a passkey of another address cannot, and must lock nobody out."""
        if user.is_anonymous:
            return False
        stale = Passkey.objects.filter(person=user, removed_at__isnull=True).exclude(rp_id=relying_party().id)
        rows = Authenticator.objects.filter(user=user).exclude(pk__in=stale.values("authenticator"))
        return bool(rows.filter(type__in=types).exists() if types is not None else rows.exists())

    def encrypt(self, text: str) -> str:
        """Close a secret."""
        return close(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Open it again."""
        return open_again(encrypted_text)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Sign-in by e-mail; nobody signs up by themselves."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Persons are added by an administrator."""
        del request
        return False

    def clean_email(self, email: str) -> str:
        """One spelling per mailbox."""
        return normal_email(email)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Person | None:  # noqa: ANN401 - allauth's own signature
        """Look for the mailbox in the spelling it is kept in, so that attempts are also counted per mailbox."""
        if email := credentials.get("email"):
            credentials["email"] = normal_email(email)
        found: Person | None = super().authenticate(request, **credentials)
        return found

    def login(self, request: HttpRequest, user: Person) -> None:
        """The last step, after every factor: whoever left meanwhile stays out."""
        if not Person.objects.present().filter(pk=user.pk).exists():
            raise ImmediateHttpResponse(self.respond_user_inactive(request, user))
        super().login(request, user)

    def get_reauthentication_methods(self, user: Person) -> list[dict[str, Any]]:
        """The ways to prove again that it is you, in our words."""
        return [one | {"description": AGAIN.get(one["id"], one["description"])} for one in super().get_reauthentication_methods(user)]

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """Back to where the way to this page was."""
        del request
        return reverse("accounts:profile")


@receiver(user_logged_in, dispatch_uid="record")
def record_sign_in(user: Person, request: HttpRequest, **_: object) -> None:
    """Record who signed in and by what; the browser stands in their list from now on."""
    means = means_said(request, user)
    remember_session(request, user, means=means, at=database_now())
    _note(Event.PERSON_SIGNED_IN, user, by=user.actor, means=means)


@receiver(user_logged_out, dispatch_uid="record")
def record_sign_out(user: Person | None, request: HttpRequest, **_: object) -> None:
    """Record who signed out; a session that had ended before tells nothing."""
    if user is not None:
        forget_session(request)
        _note(Event.PERSON_SIGNED_OUT, user, by=user.actor)


@receiver(user_login_failed, dispatch_uid="record")
def record_failed_sign_in(credentials: dict[str, Any], **_: object) -> None:
    """Record a failed attempt: for whom it was meant, never with what. Nobody has proved to be anybody."""
    given = normal_email(str(credentials.get("email") or ""))
    mail = "" if why_not_line(given, longest=LONGEST) else given
    person = Person.objects.filter(email=mail).first()
    with transaction.atomic():
        about = person.reference if person else UNKNOWN
        record(Event.PERSON_SIGN_IN_FAILED, subject=about, by=system("sign_in"), at=database_now(), details={"email": mail})


@receiver(password_changed, dispatch_uid="record")
@receiver(password_set, dispatch_uid="record")
def record_new_password(user: Person, request: HttpRequest, **_: object) -> None:
    """Record that a signed-in person has a new password; every other session of theirs ends by it."""
    rename_session(request, user)
    end_others(user, key=request.session.session_key)
    _note(Event.PERSON_PASSWORD_CHANGED, user, by=user.actor)


@receiver(password_reset, dispatch_uid="record")
def record_reset_password(user: Person, **_: object) -> None:
    """Record that somebody with a one-time link set a new password; every session of theirs ends by it."""
    end_others(user, key=None)
    _note(Event.PERSON_PASSWORD_CHANGED, user, by=person_actor(user.public_id, "one_time_link"))


def means_said(request: HttpRequest, person: Person) -> str:
    """What somebody proved themselves with in this session, in words."""
    records = get_authentication_records(request, person)
    found = [MEANS.get(str(one.get("type") or one.get("method")), "") for one in records if not one.get("reauthenticated")]
    return " and ".join(dict.fromkeys(word for word in found if word)) or "one-time link"


def _note(event: Event, person: Person, *, by: Actor, **data: str) -> None:
    with transaction.atomic():
        record(event, subject=person, by=by, at=database_now(), data=data, details={"name": person.name})
