"""A stream with everything in it: several seals, details, a listed key, a told sign-off, an unsealed tail."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection, connections, transaction

from apps.audit import export
from apps.audit.entries import StreamEntry
from apps.audit.keys import installation_id, list_key
from apps.audit.seal import seal_now
from apps.audit.verifier import Report, verify
from apps.audit.vocabulary import Event
from apps.core.actors import Actor
from apps.core.canonical import utc_seconds
from apps.core.locks import database_now
from apps.core.references import reference
from apps.core.signing import SigningKey
from changecontrol.embedded.cluster import APP
from changecontrol.settings import database
from tests.conftest import NOW, SHARED, TEMPLATE, OwnDatabase, point_default_at
from tests.factories.audit import make_actor, make_entries, make_entry

GUARDED = ("audit_entry", "audit_detail", "audit_seal", "audit_place", "audit_publickey", "audit_installation")
KEY = SigningKey(Ed25519PrivateKey.generate())
SIGNER, CHANGE = replace(make_actor(UUID(int=7)), credential="password"), UUID(int=8)
NO_PASSKEY = {"credential_id": b"", "authenticator_data": b"", "client_data": b"", "assertion": b"", "rp_id": "", "origin": ""}


@dataclass
class Stream:
    """The database under test, what somebody who owns it may do, and the sign-offs that the export holds."""

    own: OwnDatabase
    superuser_url: str
    sign_offs: list[dict[str, Any]] = field(default_factory=list)

    def owner_may(self, *statements: str) -> None:
        """What somebody does who has taken the database over: the guard is switched off first."""
        with psycopg.connect(self.superuser_url) as taken_over:
            for statement in (*(f"alter table {table} disable trigger all" for table in GUARDED), *statements):
                taken_over.execute(statement)

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.superuser_url) as reading:
            return reading.execute(query, parameters).fetchall()

    def one(self, query: str) -> Any:
        ((value,),) = self.rows(query)
        return value

    def exported(self) -> bytes:
        out = BytesIO()
        export.write_export(out)
        return out.getvalue()

    def verified(self, heads: tuple[str, ...] = (), keys: tuple[str, ...] = ()) -> Report:
        return verify(self.exported().splitlines(keepends=True), heads=heads, keys=keys)


class RolledBackStream(Stream):
    """The same in one transaction that is never committed: many tests share one database."""

    def owner_may(self, *statements: str) -> None:
        with connection.cursor() as cursor:
            for statement in (*(f"alter table {table} disable trigger all" for table in GUARDED), *statements):
                cursor.execute(statement)

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            return cursor.fetchall()


def fill() -> None:
    """Seal 1: positions 1 to 3 (key, sign-off, one with details); seal 2: 4 to 7; seal 3: 8 and 9; a tail of 2."""
    with transaction.atomic():
        list_key(KEY, by=make_actor(), at=database_now())
    tell_sign_off(statement())
    make_entry(Event.CHANGE_COMMENTED, details={"text": "Nothing to add.", "name": "Ada"})
    assert seal_now() == 3
    make_entries(4)
    assert seal_now() == 4
    make_entries(2, details={"reason": "It had to be."})
    assert seal_now() == 2
    make_entries(2, details={"reason": "It waits."})


def statement(**other: Any) -> bytes:
    """A statement as people sign it, as far as the verifier looks at it."""
    said = {
        "installation": str(installation_id()),
        "change": str(CHANGE),
        "person": {"id": SIGNER.id, "name": "Ada"},
        "by": SIGNER.as_data(),
        "revision": {"number": 2, "digest": "ab" * 32},
        "covers": {"scope": "cd" * 32, "plan": "ef" * 32},
        "decision": "APPROVE",
        "meaning": "APPROVAL",
        "at": utc_seconds(NOW),
    }
    return json.dumps(said | other).encode()


def tell_sign_off(data: bytes, *, sign_off: str = "1", by: Actor = SIGNER, **other: Any) -> StreamEntry:
    told = {"statement": hashlib.sha256(data).hexdigest(), "decision": "APPROVE", "meaning": "APPROVAL", "revision": 2}
    told |= {"digest": "ab" * 32, "parts": ["plan", "scope"], "replaces": []}
    refs, about = [reference("change", CHANGE)], reference("sign_off", sign_off)
    return make_entry(Event.SIGN_OFF_GIVEN, subject=about, by=by, at=NOW, refs=refs, data=told | other)


def sign_off_row(data: bytes, *, key: SigningKey = KEY, sign_off: str = "1") -> dict[str, Any]:
    """A row as the export carries it."""
    signed = key.sign(b"changecontrol/sign-off/v1\n" + data)
    row = {"id": sign_off, "statement": data, "signature": signed.value, "key_id": signed.key_id, "alg": signed.alg}
    return {**row, "withdrawn_at": None, **NO_PASSKEY}


@pytest.fixture
def only_sign_offs(monkeypatch) -> Callable[[list[dict[str, Any]]], None]:
    """Let the export hold these sign-offs instead of those of the apps above."""

    def use(rows: list[dict[str, Any]]) -> None:
        monkeypatch.setattr(export, "_exporters", {"sign_off": lambda: rows})

    return use


@pytest.fixture
def live_stream(own_database: OwnDatabase, only_sign_offs) -> Stream:
    """A filled stream in a database of its own, for what commits."""
    fill()
    whole = Stream(own_database, own_database.superuser_url, [sign_off_row(statement())])
    only_sign_offs(whole.sign_offs)
    return whole


@contextmanager
def default_at(url: str, *, back: str) -> Iterator[None]:
    point_default_at(url)
    try:
        yield
    finally:
        point_default_at(back)


@pytest.fixture(scope="module")
def filled(server, django_db_setup, django_db_blocker) -> Iterator[OwnDatabase]:
    """One filled stream for a module."""
    own = OwnDatabase(server, f"cc_{uuid4().hex[:12]}")
    server.clone(own.name, template=TEMPLATE)
    with django_db_blocker.unblock(), default_at(own.app_url, back=server.url(APP, SHARED)):
        connections.settings["sealer"] = {**connections.settings["default"], **database(own.sealer_url)}
        fill()
        connections["sealer"].close()
        del connections.settings["sealer"], connections["sealer"]
    yield own
    server.drop(own.name)


@pytest.fixture
def stream(filled: OwnDatabase, only_sign_offs, django_db_blocker) -> Iterator[Stream]:
    """The module's stream as its superuser sees it, in a transaction that is rolled back."""
    whole = RolledBackStream(filled, filled.superuser_url)
    only_sign_offs(whole.sign_offs)
    with django_db_blocker.unblock(), default_at(filled.superuser_url, back=filled.server.url(APP, SHARED)), transaction.atomic():
        whole.sign_offs.append(sign_off_row(statement()))
        yield whole
        transaction.set_rollback(True)
