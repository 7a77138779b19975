"""Keys are listed once, in the stream too; the installation has one id."""

import hashlib
import json
from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import transaction

from apps.audit.keys import PREFIX, endorsement_bytes, installation_id, list_key, public_key
from apps.audit.models import PublicKey
from apps.audit.stream import latest
from apps.audit.vocabulary import Event
from apps.core.signing import ALG, SigningKey, base64_text, signing_key, verifies
from tests.conftest import NOW
from tests.factories.audit import make_actor


def other_key() -> SigningKey:
    return SigningKey(Ed25519PrivateKey.generate())


def slip_in(key: SigningKey) -> None:
    """What somebody does who has the application's database role and no key of ours: a row with its endorsement, and its entry."""
    list_key(key, by=make_actor(), at=NOW)


def test_key_is_listed_once_with_its_bytes_and_its_endorsement_in_the_entry(db):
    key = signing_key()

    for _ in range(2):
        list_key(key, by=make_actor(), at=NOW)

    (entry,) = latest(limit=5)
    endorsement, signature = (b64decode(entry.data[name]) for name in ("endorsement", "signature"))
    assert entry.event is Event.KEY_LISTED
    assert entry.data["key_id"] == key.id
    assert entry.data["public"] == base64_text(key.public)
    assert json.loads(endorsement)["installation"] == str(installation_id())
    assert json.loads(endorsement)["accepts"] == entry.data["accepts"] == []
    assert verifies(key.public, PREFIX + endorsement, signature)


def test_key_id_is_half_of_the_hash_and_fits_its_column(db):
    key = signing_key()

    assert key.id == "ed25519-" + hashlib.sha256(key.public).hexdigest()[:32]
    assert len(key.id) == PublicKey._meta.get_field("key_id").max_length


def test_key_that_was_never_listed_is_none(db):
    assert public_key("ed25519-0000000000000000") is None


def test_own_key_is_trusted_and_one_that_was_slipped_in_is_not(db):
    stranger = other_key()
    slip_in(stranger)

    assert public_key(signing_key().id) == signing_key().public
    assert public_key(stranger.id) is None


def test_earlier_key_counts_from_when_the_host_names_it_and_no_longer_when_it_stops(db, settings):
    earlier = other_key()
    list_key(earlier, by=make_actor(), at=NOW)

    settings.ACCEPTED_KEYS = frozenset({earlier.id})
    assert public_key(earlier.id) == earlier.public
    settings.ACCEPTED_KEYS = frozenset()
    assert public_key(earlier.id) is None


def test_accepted_key_whose_row_holds_other_bytes_is_none(db, settings):
    earlier = other_key()
    settings.ACCEPTED_KEYS = frozenset({earlier.id})
    PublicKey.objects.create(key_id=earlier.id, alg=ALG, public=other_key().public, endorsement=b"{}", signature=bytes(64), listed_at=NOW)

    assert public_key(earlier.id) is None


def test_key_that_accepts_others_than_before_is_listed_once_more(db, settings):
    key, earlier = signing_key(), other_key()
    list_key(key, by=make_actor(), at=NOW)
    settings.ACCEPTED_KEYS = frozenset({earlier.id, key.id})

    for _ in range(2):
        list_key(key, by=make_actor(), at=NOW)

    assert [entry.data["accepts"] for entry in latest(limit=5)] == [[earlier.id], []]
    assert PublicKey.objects.filter(key_id=key.id).count() == 2


def test_two_processes_that_list_the_same_key_list_it_once(own_database, racer, wait_until_blocked):
    key = signing_key()

    def work() -> None:
        with transaction.atomic():
            list_key(key, by=make_actor(), at=NOW)

    with own_database.connect() as first, first.transaction():
        endorsement = endorsement_bytes(key, accepts=[])
        first.execute(
            "insert into audit_publickey (key_id, alg, public, endorsement, signature, listed_at) values (%s, 'Ed25519', %s, %s, %s, now())",
            [key.id, key.public, endorsement, key.sign(PREFIX + endorsement).value],
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
        PublicKey.objects.create(key_id="x", alg="Ed25519", public=public, endorsement=b"{}", signature=bytes(64), listed_at=NOW)
