"""The one place that speaks with allauth: sign-in by e-mail, nobody signs up by themselves, and what it does is recorded."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.signals import password_changed, password_reset, password_set
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest
from django.urls import reverse

from apps.accounts.identities import LONGEST, normal_email
from apps.accounts.models import Person, person_actor
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import Actor, system
from apps.core.locks import database_now
from apps.core.references import Reference
from apps.core.texts import why_not_line

UNKNOWN = Reference("sign_in", "unknown")


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

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """Back to where the way to this page was."""
        del request
        return reverse("accounts:profile")


@receiver(user_logged_in, dispatch_uid="record")
def record_sign_in(user: Person, **_: object) -> None:
    """Record who signed in."""
    _note(Event.PERSON_SIGNED_IN, user, by=user.actor)


@receiver(user_logged_out, dispatch_uid="record")
def record_sign_out(user: Person | None, **_: object) -> None:
    """Record who signed out; a session that had ended before tells nothing."""
    if user is not None:
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
def record_new_password(user: Person, **_: object) -> None:
    """Record that a signed-in person has a new password; every other session of theirs has ended by it."""
    _note(Event.PERSON_PASSWORD_CHANGED, user, by=user.actor)


@receiver(password_reset, dispatch_uid="record")
def record_reset_password(user: Person, **_: object) -> None:
    """Record that somebody with a one-time link set a new password."""
    _note(Event.PERSON_PASSWORD_CHANGED, user, by=person_actor(user.public_id, "one_time_link"))


def _note(event: Event, person: Person, *, by: Actor) -> None:
    with transaction.atomic():
        record(event, subject=person, by=by, at=database_now(), details={"name": person.name})
