"""Keys are listed once, in the stream too; the installation has one id."""

import pytest
from django.db import transaction

from apps.audit.keys import installation_id, list_key, public_key
from apps.audit.models import PublicKey
from apps.audit.stream import latest
from apps.audit.vocabulary import Event
from apps.core.signing import base64_text, signing_key
from tests.conftest import NOW
from tests.factories.audit import make_actor


def test_key_is_listed_once_with_its_bytes_in_the_entry(db):
    key = signing_key()

    for _ in range(2):
        list_key(key, by=make_actor(), at=NOW)

    (entry,) = latest(limit=5)
    assert entry.event is Event.KEY_LISTED
    assert entry.data == {"key_id": key.id, "alg": "Ed25519", "public": base64_text(key.public)}
    assert public_key(key.id) == key.public


def test_key_that_was_never_listed_is_none(db):
    assert public_key("ed25519-0000000000000000") is None


def test_two_processes_that_list_the_same_key_list_it_once(own_database, racer, wait_until_blocked):
    key = signing_key()

    def work() -> None:
        with transaction.atomic():
            list_key(key, by=make_actor(), at=NOW)

    with own_database.connect() as first, first.transaction():
        first.execute(
            "insert into audit_publickey (key_id, alg, public, listed_at) values (%s, 'Ed25519', %s, now())", [key.id, key.public]
        )
        other = racer(work)
        wait_until_blocked(first.info.backend_pid)
    other.result()

    assert PublicKey.objects.count() == 1
    assert latest(limit=5) == []  # the first one, which a bare insert stands for here, would have told


def test_installation_has_one_id_for_ever(db):
    assert installation_id() == installation_id()


@pytest.mark.parametrize("public", [b"short", bytes(33)])
def test_key_of_another_length_is_refused_by_the_database(db, public):
    with pytest.raises(Exception, match="key_is_whole"):
        PublicKey.objects.create(key_id="x", alg="Ed25519", public=public, listed_at=NOW)
