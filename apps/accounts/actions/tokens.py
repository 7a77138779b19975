"""Verbs about personal tokens: with one, a person's scripts do what the person may."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.accounts.models import PersonalToken
from apps.accounts.rules import LONGEST_TOKEN_DAYS, why_not_issue_personal_token, why_not_revoke_personal_token
from apps.accounts.steps import asker, person_by_actor, revoke_token, token_hash
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import Actor
from apps.core.locks import database_now
from apps.core.refusals import BadContent, Refused
from apps.core.texts import read_line
from apps.core.verbs import verb

PREFIX = "ccp_"
SHOWN = 10  # as many letters of it as a person needs to tell two apart


@dataclass(frozen=True, slots=True)
class Issued:
    """A token and its secret, which exists nowhere else and is shown once."""

    token: PersonalToken
    secret: str


@verb
def issue_personal_token(*, name: str, days: int, by: Actor, now: datetime | None = None) -> Issued:
    """Issue a token for oneself; it ends after `days`, a year at most."""
    person, now = person_by_actor(by), now or database_now()
    if refusal := why_not_issue_personal_token(asker(by)):
        raise Refused(refusal, about=person.reference)
    if not 1 <= days <= LONGEST_TOKEN_DAYS:
        raise BadContent({"days": [f"A token lives 1 to {LONGEST_TOKEN_DAYS} days."]})
    said = read_line(name, field="name", longest=120)
    secret = PREFIX + secrets.token_urlsafe(32)
    token = PersonalToken.objects.create(
        person=person, name=said, prefix=secret[:SHOWN], hash=token_hash(secret), issued_at=now, expires_at=now + timedelta(days=days)
    )
    data = {"expires_at": token.expires_at, "prefix": token.prefix}
    record(
        Event.PERSONAL_TOKEN_ISSUED,
        subject=token,
        refs=[person.reference],
        by=by,
        at=now,
        data=data,
        details={"name": said, "person": person.name},
    )
    return Issued(token, secret)


@verb
def revoke_personal_token(token_id: int, *, by: Actor, now: datetime | None = None) -> PersonalToken:
    """End a token at once."""
    token, now = PersonalToken.objects.lock(token_id, now)
    if refusal := why_not_revoke_personal_token(asker(by), owner=token.person.public_id, revoked_at=token.revoked_at):
        raise Refused(refusal, about=token.reference)
    revoke_token(token, by=by, at=now)
    token.revoked_at = now
    return token
