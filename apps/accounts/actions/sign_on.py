"""The verbs of single sign-on: whom a provider's subject is, and linking one's own. Nobody joins by it, and no address opens an account in use."""

from datetime import datetime

from apps.accounts.access import person_by_identity
from apps.accounts.identities import LONGEST, LONGEST_ISSUER, IdentityKind, normal_email
from apps.accounts.models import Identity, Person
from apps.accounts.steps import add_identity, person_by_actor
from apps.core.actors import Actor, system
from apps.core.locks import take_calendar_guard
from apps.core.refusals import Refused, not_allowed, not_now
from apps.core.verbs import verb

ASK = "Ask an administrator to add you, or to add this identity to your page."
UNKNOWN = not_allowed("subject_unknown", "Nobody here is known by this sign-on.", ASK)
UNVERIFIED = not_allowed(
    "address_unverified", "Nobody here is known by this sign-on, and the provider does not vouch for an e-mail address of yours.", ASK
)
ANOTHER = not_allowed(
    "another_subject",
    "The person with your address signs on by another subject of this provider.",
    "Ask an administrator: addresses are given to somebody else at times, so this is decided by a human.",
)
IN_USE = not_allowed(
    "link_it_yourself",
    "The person with your address has signed in here before, so an address alone lets nobody in as them.",
    "Sign in the way you did before, then link single sign-on under Passkeys and codes.",
)
OF_ANOTHER = not_allowed(
    "subject_of_another", "This subject signs in somebody else here.", "If both are you, ask an administrator to merge the two persons."
)
LINKED = not_now("already_linked", "This sign-on is yours already.", "Nothing is left to do here.")
LINKED_ANOTHER = not_now(
    "linked_another", "You sign on by another subject of this provider.", "Ask an administrator to remove that one from your page first."
)


@verb
def sign_on_person(*, issuer: str, subject: str, email: str, now: datetime | None = None) -> Person:
    """The person behind a provider's subject; the first time, whoever signs in by its verified address and never did so yet.

    Addresses that an administrator added say whose commits and runs they are, and open nothing."""
    _readable(issuer, subject)
    take_calendar_guard()
    known = person_by_identity(IdentityKind.OIDC, subject, issuer=issuer)
    if known is not None:
        return known
    if not email:
        raise Refused(UNVERIFIED)
    mail = normal_email(email)
    held = Identity.objects.filter(kind=IdentityKind.EMAIL, value=mail, person__email=mail, verified_at__isnull=False)
    found = held.select_related("person").first()
    if found is None or not found.person.is_present:
        raise Refused(UNKNOWN)
    person, now = Person.objects.lock(found.person_id, now)
    if person.identities.filter(kind=IdentityKind.OIDC, issuer=issuer).exists():
        raise Refused(ANOTHER, about=person.reference)
    if person.last_login is not None:
        raise Refused(IN_USE, about=person.reference)
    add_identity(person, kind=IdentityKind.OIDC, value=subject, issuer=issuer, by=system("single_sign_on"), at=now)
    return person


@verb
def link_single_sign_on(*, issuer: str, subject: str, by: Actor, now: datetime | None = None) -> Person:
    """Let a provider's subject sign in whoever asks; that they proved anew who they are is the caller's to see to."""
    _readable(issuer, subject)
    take_calendar_guard()
    person, now = Person.objects.lock(person_by_actor(by).pk, now)
    known = person_by_identity(IdentityKind.OIDC, subject, issuer=issuer)
    if known is not None:
        raise Refused(LINKED if known.pk == person.pk else OF_ANOTHER, about=person.reference)
    if person.identities.filter(kind=IdentityKind.OIDC, issuer=issuer).exists():
        raise Refused(LINKED_ANOTHER, about=person.reference)
    add_identity(person, kind=IdentityKind.OIDC, value=subject, issuer=issuer, by=by, at=now)
    return person


def _readable(issuer: str, subject: str) -> None:
    if len(issuer) > LONGEST_ISSUER or len(subject) > LONGEST or not subject.isprintable():
        raise Refused(UNKNOWN)
