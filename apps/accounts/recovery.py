"""Recovery codes: allauth keeps and spends them; this only counts what is left."""

from allauth.mfa.models import Authenticator

from apps.accounts.models import Person


def recovery_codes_left(person: Person) -> int | None:
    """How many are left; None where none were made."""
    row = Authenticator.objects.filter(user=person, type=Authenticator.Type.RECOVERY_CODES).first()
    return row and len(row.wrap().get_unused_codes())
