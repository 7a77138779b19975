"""The verb of single sign-on: whom a provider's subject is. Nobody joins by it; an unknown subject is somebody we invited, or nobody."""

from datetime import datetime

from apps.accounts.access import person_by_identity
from apps.accounts.identities import LONGEST, LONGEST_ISSUER, IdentityKind, normal_email
from apps.accounts.models import Identity, Person
from apps.accounts.steps import add_identity
from apps.core.actors import system
from apps.core.locks import take_calendar_guard
from apps.core.refusals import Refused, not_allowed
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


@verb
def sign_on_person(*, issuer: str, subject: str, email: str, now: datetime | None = None) -> Person:
    """The person behind a provider's subject; the first time, the one who was invited under its verified address."""
    if len(issuer) > LONGEST_ISSUER or len(subject) > LONGEST or not subject.isprintable():
        raise Refused(UNKNOWN)
    take_calendar_guard()
    known = person_by_identity(IdentityKind.OIDC, subject, issuer=issuer)
    if known is not None:
        return known
    if not email:
        raise Refused(UNVERIFIED)
    found = (
        Identity.objects.filter(kind=IdentityKind.EMAIL, value=normal_email(email), verified_at__isnull=False)
        .select_related("person")
        .first()
    )
    if found is None or not found.person.is_present:
        raise Refused(UNKNOWN)
    person, now = Person.objects.lock(found.person_id, now)
    if person.identities.filter(kind=IdentityKind.OIDC, issuer=issuer).exists():
        raise Refused(ANOTHER, about=person.reference)
    add_identity(person, kind=IdentityKind.OIDC, value=subject, issuer=issuer, by=system("single_sign_on"), at=now)
    return person
