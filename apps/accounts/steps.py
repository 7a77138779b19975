"""Plain functions about people that join the caller's transaction; what verbs here and in apps above are made of."""

import hashlib
import hmac
import secrets
from datetime import datetime

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import F

from apps.accounts.access import is_member, person_by_identity
from apps.accounts.enrolment import end_factors
from apps.accounts.facts import asker_of, has_administrator, has_grant
from apps.accounts.identities import MAIL_KINDS, IdentityKind, read_email, read_identity
from apps.accounts.models import Identity, Membership, Person, PersonalToken, RoleGrant, SetUpCode, Team
from apps.accounts.presence import end_others
from apps.accounts.roles import Role
from apps.accounts.rules import Asker
from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import Actor
from apps.core.locks import take_calendar_guard
from apps.core.refusals import BadContent, Refused, not_allowed, not_now
from apps.core.texts import read_line, read_slug, read_zone

LONGEST_NAME = 120
NOT_PRESENT = not_allowed("not_present", "Only an active person does this.", "Sign in as a person who is active.")
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: nothing in it is read as something else
SEEN_AS = str.maketrans("OIL", "011")
GROUPS, GROUP_LENGTH = 4, 5  # 100 bits: no guessing, so no counting of guesses
ALREADY = not_now(
    "already_set_up", "An administrator exists already.", "Sign in. On the host, `manage.py create_administrator` is the way back in."
)
WRONG = "This is not the code that was printed last. Run `manage.py setup_code` on the host for a new one; it replaces the old."


def person_by_actor(by: Actor) -> Person:
    """The present person behind an act; raises Refused when there is none (the system, somebody deactivated or merged)."""
    person = Person.objects.present().filter(public_id=by.person_id).first() if by.person_id else None
    if person is None:
        raise Refused(NOT_PRESENT)
    return person


def asker(by: Actor) -> Asker:
    """The facts about who asks; raises Refused when it is no present person."""
    return asker_of(person_by_actor(by), by)


def add_person(*, email: str, name: str, by: Actor, at: datetime, time_zone: str = "UTC", password: str | None = None) -> Person:
    """Let a person join; without a password they sign in by a link first. Raises BadContent."""
    mail, printed, zone = read_email(email), read_line(name, field="name", longest=LONGEST_NAME), read_zone(time_zone)
    known = person_by_identity(IdentityKind.EMAIL, mail) or Person.objects.filter(email=mail).first()
    if known is not None:
        raise BadContent({"email": [f"{known.name} is known by this address already. Each address is of one person."]})
    person = Person(email=mail, name=printed, time_zone=zone)
    set_password(person, password)
    person.save()
    record(
        Event.PERSON_JOINED,
        subject=person,
        by=by,
        at=at,
        data={"has_password": password is not None},
        details={"name": printed, "email": mail},
    )
    add_identity(person, kind=IdentityKind.EMAIL, value=mail, by=by, at=at)
    return person


def set_password(person: Person, password: str | None) -> None:
    """Set a checked password on an unsaved row, or none that works; raises BadContent."""
    if password is None:
        person.set_unusable_password()
        return
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise BadContent({"password": list(error.messages)}) from error
    person.set_password(password)


def add_identity(person: Person, *, kind: IdentityKind, value: str, by: Actor, at: datetime, issuer: str = "") -> Identity:
    """Let something stand for a person; raises BadContent when it is another person's or cannot be read."""
    issuer, value = read_identity(kind, value, issuer=issuer)
    holder = (
        Identity.objects.filter(kind__in=[*MAIL_KINDS] if kind in MAIL_KINDS else [kind], issuer=issuer, value=value)
        .exclude(person=person)
        .first()
    )
    if holder is not None:
        raise BadContent({"value": [f"This is an identity of {holder.person.name}. If both are one human being, merge the two persons."]})
    if Identity.objects.filter(person=person, kind=kind, issuer=issuer, value=value).exists():
        raise BadContent({"value": [f"{person.name} has this identity already."]})
    identity = Identity.objects.create(person=person, kind=kind, issuer=issuer, value=value, verified_at=at)
    record(
        Event.IDENTITY_ADDED,
        subject=person,
        by=by,
        at=at,
        data={"kind": kind},
        details={"name": person.name, "issuer": issuer, "value": value},
    )
    return identity


def add_team(*, slug: str, name: str, by: Actor, at: datetime) -> Team:
    """Make a team; raises BadContent."""
    short, printed = read_slug(slug), read_line(name, field="name", longest=LONGEST_NAME)
    if Team.objects.filter(slug=short).exists():
        raise BadContent({"slug": [f"A team has the short name {short} already. Choose another."]})
    team = Team.objects.create(slug=short, name=printed)
    record(Event.TEAM_CREATED, subject=team, by=by, at=at, data={"slug": short}, details={"name": printed})
    return team


def add_member(team: Team, person: Person, *, by: Actor, at: datetime) -> Membership:
    """Put a person into a team."""
    membership = Membership.objects.create(team=team, person=person, started_at=at, started_by=actor_text(by))
    record(Event.MEMBERSHIP_STARTED, subject=person, refs=[team.reference], by=by, at=at, details={"name": person.name, "team": team.name})
    return membership


def end_memberships(person: Person, team: Team, *, by: Actor, at: datetime) -> None:
    """Take a person out of a team."""
    Membership.objects.filter(team=team, person=person, ended_at__isnull=True).update(ended_at=at, ended_by=actor_text(by))
    record(Event.MEMBERSHIP_ENDED, subject=person, refs=[team.reference], by=by, at=at, details={"name": person.name, "team": team.name})


def give_role(person: Person, role: Role, *, by: Actor, at: datetime, team: Team | None = None) -> RoleGrant:
    """Give a role, for everything or for one team's services; who gave it is kept."""
    grant = RoleGrant.objects.create(person=person, role=role, team=team, granted_at=at, granted_by=actor_text(by))
    _record_role(Event.ROLE_GRANTED, role, person=person, team=team, by=by, at=at)
    return grant


def take_role(person: Person, role: Role, *, by: Actor, at: datetime, team: Team | None = None) -> None:
    """Take a role away."""
    standing = RoleGrant.objects.filter(person=person, role=role, team=team, revoked_at__isnull=True)
    standing.update(revoked_at=at, revoked_by=actor_text(by))
    _record_role(Event.ROLE_REVOKED, role, person=person, team=team, by=by, at=at)


def end_access(person: Person, *, by: Actor, at: datetime) -> None:
    """End every session and revoke every token of a person; coming back means signing in anew."""
    Person.objects.filter(pk=person.pk).update(session_round=F("session_round") + 1)
    end_others(person, key=None)
    for token in PersonalToken.objects.filter(person=person, revoked_at__isnull=True):
        revoke_token(token, by=by, at=at)


def revoke_token(token: PersonalToken, *, by: Actor, at: datetime) -> None:
    """Revoke one token."""
    PersonalToken.objects.filter(pk=token.pk).update(revoked_at=at)
    record(
        Event.PERSONAL_TOKEN_REVOKED,
        subject=token,
        refs=[token.person.reference],
        by=by,
        at=at,
        details={"name": token.name, "person": token.person.name},
    )


def token_hash(secret: str) -> bytes:
    """What is kept of a personal token: it is random enough that a plain hash cannot be turned back."""
    return hashlib.sha256(secret.encode(errors="replace")).digest()


def fold(gone: Person, keep: Person, *, by: Actor, at: datetime) -> None:
    """Let everything that stands for `gone` stand for `keep`, and everybody merged into `gone` point at `keep`."""
    identities = gone.identities.update(person=keep)
    for membership in gone.memberships.filter(ended_at__isnull=True).select_related("team"):
        end_memberships(gone, membership.team, by=by, at=at)
        if not is_member(keep, membership.team):
            add_member(membership.team, keep, by=by, at=at)
    for grant in gone.role_grants.filter(revoked_at__isnull=True).select_related("team"):
        take_role(gone, Role(grant.role), team=grant.team, by=by, at=at)
        if not has_grant(keep, Role(grant.role), grant.team):
            give_role(keep, Role(grant.role), team=grant.team, by=by, at=at)
    end_access(gone, by=by, at=at)
    end_factors(gone, by=by, at=at)
    Person.objects.filter(pk=gone.pk).update(is_active=False, deactivated_at=gone.deactivated_at or at, merged_into=keep)
    Person.objects.filter(merged_into=gone).update(merged_into=keep)
    record(
        Event.PERSON_MERGED,
        subject=keep,
        refs=[gone.reference],
        by=by,
        at=at,
        data={"identities": identities},
        details={"name": keep.name, "gone": gone.name},
    )


def make_set_up_code(*, at: datetime) -> str | None:
    """A new code in place of the old one; None when an administrator exists. Joins the caller's transaction."""
    take_calendar_guard()
    if has_administrator():
        return None
    code = "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
    SetUpCode.objects.filter(used_at__isnull=True).delete()
    SetUpCode.objects.create(hash=_hash(code), made_at=at)
    return code


def use_set_up_code(code: str, *, at: datetime) -> None:
    """Spend the code; of two at once one wins. Raises Refused when an administrator exists, BadContent for a wrong code."""
    take_calendar_guard()
    if has_administrator():
        raise Refused(ALREADY)
    open_code = SetUpCode.objects.filter(used_at__isnull=True).first()
    if open_code is None or not hmac.compare_digest(bytes(open_code.hash), _hash(code)):
        raise BadContent({"code": [WRONG]})
    SetUpCode.objects.filter(pk=open_code.pk).update(used_at=at)


def _record_role(event: Event, role: Role, *, person: Person, team: Team | None, by: Actor, at: datetime) -> None:
    record(
        event,
        subject=person,
        refs=[team.reference] if team else [],
        by=by,
        at=at,
        data={"role": role, "team": team.public_id if team else None, "granted_to_self": by.person_id == person.public_id},
        details={"name": person.name, "team": team.name if team else ""},
    )


def _hash(code: str) -> bytes:
    plain = "".join(char for char in code.upper().translate(SEEN_AS) if char.isalnum())
    return hashlib.sha256(plain.encode(errors="replace")).digest()
