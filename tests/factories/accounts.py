"""People for tests. The leaves are factory-boy's; `make_person` also gives roles and teams."""

import time as clock
from datetime import datetime, time
from hashlib import sha256
from json import dumps
from typing import Any

import factory
from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.auth.hashers import make_password
from factory.django import DjangoModelFactory
from fido2.utils import websafe_encode

from apps.accounts.codes import code_at, new_secret, step_at
from apps.accounts.envelopes import close
from apps.accounts.identities import IdentityKind
from apps.accounts.models import (
    Counted,
    Identity,
    Membership,
    Passkey,
    Person,
    PersonalToken,
    RoleGrant,
    SecondHand,
    SetUpCode,
    SignIn,
    Team,
    WorkingHours,
)
from apps.accounts.relying_party import relying_party
from apps.accounts.roles import WIDE_ONLY, Role
from tests.conftest import NOW

PASSWORD = "correct horse battery staple"
_hashed: list[str] = []  # made once: the hash is slow on purpose


def hashed_password() -> str:
    """The hash of PASSWORD, the same for every person of a test run."""
    if not _hashed:
        _hashed.append(make_password(PASSWORD))
    return _hashed[0]


class TeamFactory(DjangoModelFactory):
    class Meta:
        model = Team

    slug = factory.Sequence(lambda n: f"team-{n}")
    name = factory.Sequence(lambda n: f"Team {n}")


class PersonFactory(DjangoModelFactory):
    """A person who can sign in with PASSWORD."""

    class Meta:
        model = Person

    name = factory.Sequence(lambda n: f"Person {n}")
    email = factory.Sequence(lambda n: f"person-{n}@example.org")
    password = factory.LazyFunction(hashed_password)
    deactivated_at = factory.Maybe("is_active", None, NOW)
    is_active = True


class IdentityFactory(DjangoModelFactory):
    class Meta:
        model = Identity

    person = factory.SubFactory(PersonFactory)
    kind = IdentityKind.EMAIL
    value = factory.Sequence(lambda n: f"identity-{n}@example.org")
    verified_at = NOW


class MembershipFactory(DjangoModelFactory):
    class Meta:
        model = Membership

    team = factory.SubFactory(TeamFactory)
    person = factory.SubFactory(PersonFactory)
    started_at = NOW
    started_by = "SYSTEM:test"


class RoleGrantFactory(DjangoModelFactory):
    class Meta:
        model = RoleGrant

    person = factory.SubFactory(PersonFactory)
    role = Role.REQUESTER
    team = None
    granted_at = NOW
    granted_by = "SYSTEM:test"


class PersonalTokenFactory(DjangoModelFactory):
    class Meta:
        model = PersonalToken

    person = factory.SubFactory(PersonFactory)
    name = "laptop"
    prefix = "ccp_test"
    hash = factory.Sequence(lambda n: n.to_bytes(32, "big"))
    issued_at = NOW
    expires_at = NOW.replace(year=NOW.year + 1)


class SetUpCodeFactory(DjangoModelFactory):
    class Meta:
        model = SetUpCode

    hash = factory.Sequence(lambda n: n.to_bytes(32, "big"))
    made_at = NOW


class CountedFactory(DjangoModelFactory):
    class Meta:
        model = Counted

    key = factory.Sequence(lambda n: f"attempt:{n}")
    value = 1
    expires_at = NOW.replace(year=NOW.year + 1)


class SignInFactory(DjangoModelFactory):
    class Meta:
        model = SignIn

    person = factory.SubFactory(PersonFactory)
    session_key = factory.Sequence(lambda n: f"session{n}")
    means = "password"
    address = "192.0.2.7"
    browser = "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0"
    signed_in_at = NOW


class WorkingHoursFactory(DjangoModelFactory):
    class Meta:
        model = WorkingHours

    person = factory.SubFactory(PersonFactory)
    days = [0, 1, 2, 3, 4]
    begins = time(9)
    ends = time(17)


class PasskeyFactory(DjangoModelFactory):
    """A passkey with a key of its own; `make_passkey` hands out the private half too."""

    class Meta:
        model = Passkey

    person = factory.SubFactory(PersonFactory)
    credential_id = factory.Sequence(lambda n: sha256(b"credential %d" % n).digest())
    public_key = factory.LazyFunction(lambda: public_half(ec.generate_private_key(ec.SECP256R1())))
    algorithm = -7
    rp_id = factory.LazyFunction(lambda: relying_party().id)
    name = factory.Sequence(lambda n: f"Passkey {n}")
    enrolled_at = NOW


def public_half(private: ec.EllipticCurvePrivateKey) -> bytes:
    """The public half as it is kept."""
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def make_passkey(person: Person, **fields: object) -> tuple[Passkey, ec.EllipticCurvePrivateKey]:
    """A passkey that signs (allauth does not know it: it signs nobody in), and its private key."""
    private = ec.generate_private_key(ec.SECP256R1())
    return PasskeyFactory(person=person, public_key=public_half(private), **fields), private


def sign_assertion(
    private: ec.EllipticCurvePrivateKey,
    *,
    credential_id: bytes,
    challenge: bytes,
    rp_id: str = "",
    origin: str = "",
    sign_count: int = 1,
    user_verified: bool = True,
) -> dict[str, object]:
    """What a browser hands back for `navigator.credentials.get`, as JSON."""
    here = relying_party()
    said = {"type": "webauthn.get", "challenge": websafe_encode(challenge), "origin": origin or here.origin, "crossOrigin": False}
    client_data = dumps(said, separators=(",", ":")).encode()
    data = sha256((rp_id or here.id).encode()).digest() + bytes([0x05 if user_verified else 0x01]) + sign_count.to_bytes(4, "big")
    signature = private.sign(data + sha256(client_data).digest(), ec.ECDSA(SHA256()))
    told = {"clientDataJSON": client_data, "authenticatorData": data, "signature": signature}
    name = websafe_encode(credential_id)
    response = {key: websafe_encode(value) for key, value in told.items()} | {"userHandle": None}
    return {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}


def make_authenticator_app(person: Person) -> str:
    """Enrol an app; returns its secret for `code_for`."""
    secret = new_secret()
    Authenticator.objects.create(user=person, type=Authenticator.Type.TOTP, data={"secret": close(secret), "last_step": -1})
    return secret


def code_for(secret: str, at: datetime) -> str:
    """The code the app shows at a moment."""
    return code_at(secret, step_at(at))


def make_person(*roles: Role, team: Team | None = None, name: str = "", **more: object) -> Person:
    """A person with roles for everything and, if given, a standing membership of `team`.

    `person.actor` is the `by` of verbs; `client.force_login(person)` signs in."""
    person = PersonFactory(**({"name": name} if name else {}), **more)
    IdentityFactory(person=person, value=person.email)
    for role in roles:
        RoleGrantFactory(person=person, role=role)
    if team is not None:
        MembershipFactory(team=team, person=person)
    return person


def give_team_role(person: Person, role: Role, team: Team) -> RoleGrant:
    """A role for one team's services alone."""
    assert role not in WIDE_ONLY
    return RoleGrantFactory(person=person, role=role, team=team)


class SecondHandFactory(DjangoModelFactory):
    """Something about an administrator that waits for another one."""

    class Meta:
        model = SecondHand

    person = factory.LazyFunction(make_person)
    act = "GRANT"
    asked_at = NOW
    asked_by = factory.LazyFunction(make_person)


def prove_lately(client: Any, person: Person, *, method: str = "password", ago: float = 0) -> None:
    """Sign somebody in who proved AGO seconds before now who they are."""
    client.force_login(person)
    session = client.session
    session["account_authentication_methods"] = [{"method": method, "at": clock.time() - ago}]
    session["account_authentication_methods_user"] = str(person.pk)
    session.save()
