"""Mails about an account: what somebody signs in and signs with has changed, whoever did it."""

from collections.abc import Mapping
from typing import Final

from django.urls import reverse

from apps.accounts.identities import IdentityKind
from apps.accounts.models import Person
from apps.audit.entries import StreamEntry
from apps.audit.vocabulary import Event
from apps.notifications.kinds import Relation
from apps.notifications.letters.shape import Letter, Reader, address_of, section
from apps.notifications.models import Delivery

NOT_YOU = "If this was not you or asked for by you, tell an administrator at once: they end your sessions and what can be signed with."
SAID: Final[Mapping[str, str]] = {
    Event.PASSKEY_ADDED: "A passkey was added",
    Event.PASSKEY_REMOVED: "A passkey was removed",
    Event.AUTHENTICATOR_APP_ADDED: "An authenticator app was added",
    Event.AUTHENTICATOR_APP_REMOVED: "The authenticator app was removed",
    Event.RECOVERY_CODES_MADE: "Recovery codes were made",
    Event.RECOVERY_CODE_USED: "A recovery code was used",
    Event.PERSON_PASSWORD_CHANGED: "The password was changed",
    Event.PERSON_FACTORS_RESET: "Every passkey and the app were taken away",
    Event.PERSONAL_TOKEN_ISSUED: "A personal token was issued",
}
KNOWN_BY: Final[Mapping[str, str]] = {
    IdentityKind.OIDC: "Single sign-on",
    IdentityKind.EMAIL: "An e-mail address",
    IdentityKind.GIT_AUTHOR: "A git author",
    IdentityKind.CI_ACTOR: "A CI actor",
}


def account_letter(delivery: Delivery, person: Person, *, entry: StreamEntry, by: str, reader: Reader) -> Letter:
    """What changed, by whom and when, and what to do if it was somebody else. No secret stands in it."""
    headline = headline_of(entry)
    about = section(
        "What is known",
        ("When", reader.moment(entry.at)),
        ("Who", "you, or somebody signed in as you" if entry.by.person_id == person.public_id else by),
        ("Which", which(entry)),
        ("Why", entry.details.get("reason") or ""),
    )
    return Letter(
        subject=f"Your account: {headline[0].lower()}{headline[1:]}",
        lead=f"{headline}: your account {person.email}.",
        cure=NOT_YOU,
        url=address_of(reverse("accounts:factors")),
        word="Open passkeys and sessions",
        because=Relation(delivery.relation).words,
        sections=(about,),
    )


def headline_of(entry: StreamEntry) -> str:
    """The fact."""
    if entry.event in {Event.IDENTITY_ADDED, Event.IDENTITY_REMOVED}:
        known = KNOWN_BY.get(str(entry.data.get("kind")), "An identity")
        return f"{known} was {'added' if entry.event == Event.IDENTITY_ADDED else 'removed'}"
    if entry.event == Event.PERSON_PASSWORD_CHANGED and entry.by.credential == "one_time_link":
        return "A password was set by a one-time link"
    return SAID.get(entry.event, "Something of it changed")


def which(entry: StreamEntry) -> str:
    """What it is called."""
    if entry.event == Event.PERSONAL_TOKEN_ISSUED:
        return entry.details.get("name") or ""
    return entry.details.get("passkey") or entry.details.get("value") or ""
