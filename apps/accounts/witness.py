"""Tells the audit stream who is an administrator, where two of them erase a text together."""

from uuid import UUID

from apps.accounts.access import has_role
from apps.accounts.identities import normal_email
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.audit.erasure import register_witness


def administrator_by_password(email: str, password: str) -> UUID | None:
    """The public id of the active administrator with this address and password, or None."""
    person = Person.objects.present().filter(email=normal_email(email)).first()
    if person is None or not person.check_password(password) or not has_role(person, Role.ADMINISTRATOR):
        return None
    return person.public_id


register_witness(administrator_by_password)
