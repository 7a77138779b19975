"""By what people sign, in words, for many at once: whom a review of access looks at first."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import QuerySet

from apps.accounts.identities import IdentityKind
from apps.accounts.models import Identity, Passkey, Person
from apps.accounts.relying_party import relying_party

TOTP = Authenticator.Type.TOTP


@dataclass(frozen=True, slots=True)
class SignsBy:
    """The strongest means of somebody, in words; weak ones stand out in a list. Passkeys of another address do not count."""

    words: str
    passkeys: int
    is_weak: bool


def means_of_people(people: Collection[Person]) -> dict[int, SignsBy]:
    """By row id, in three statements."""
    keys = Counter(
        Passkey.objects.filter(person__in=people, removed_at__isnull=True, rp_id=relying_party().id).values_list("person", flat=True)
    )
    apps = {*Authenticator.objects.filter(user__in=people, type=TOTP).values_list("user", flat=True)}
    linked = {*Identity.objects.filter(person__in=people, kind=IdentityKind.OIDC).values_list("person", flat=True)}
    return {one.pk: _said(one, keys[one.pk], has_app=one.pk in apps, is_linked=one.pk in linked) for one in people}


def proving_rows(people: Collection[UUID]) -> tuple[QuerySet[Any, Any], QuerySet[Any, Any]]:
    """Who has a passkey of this address, and who a password with an app, as rows that nobody has read yet; by public id."""
    keys = Passkey.objects.filter(person__public_id__in=people, removed_at__isnull=True, rp_id=relying_party().id)
    apps = Authenticator.objects.filter(user__public_id__in=people, type=TOTP).exclude(user__password__startswith=UNUSABLE_PASSWORD_PREFIX)
    return keys.values_list("person__public_id", flat=True), apps.values_list("user__public_id", flat=True)


def proving_in(keys: Iterable[UUID], apps: Iterable[UUID]) -> dict[UUID, str]:
    """What such rows say: by what each of them signs, where it is two factors."""
    return {**dict.fromkeys(apps, "password_and_code"), **dict.fromkeys(keys, "passkey")}


def _said(person: Person, keys: int, *, has_app: bool, is_linked: bool) -> SignsBy:
    if keys:
        return SignsBy(f"{keys} passkey{'s' if keys > 1 else ''}", keys, is_weak=False)
    if person.has_usable_password():
        return SignsBy("password and app", 0, is_weak=False) if has_app else SignsBy("password alone", 0, is_weak=True)
    if is_linked:
        return SignsBy("single sign-on only", 0, is_weak=True)
    return SignsBy("nothing yet", 0, is_weak=False)
