"""What somebody with the database, and even with the server's key, would put in to be let through. Rows are inserted: to change one,
the triggers would have to be taken off first, and then it says the same."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from django.db import IntegrityError, transaction
from hypothesis import strategies as st

from apps.accounts.models import Passkey, Person
from apps.approvals.models import SignOff
from apps.approvals.statement import challenge_of, signed_message
from apps.changes.content import revision_digest
from apps.changes.models import Change, LegIdentity, Revision
from apps.core.canonical import digest
from apps.core.signing import signing_key
from tests.factories.approvals import make_policy, newest
from tests.gate.never_deeds import NUMBERS, deed
from tests.gate.never_world import DAY, HOUR, VERSIONS, World, rolled_back

HALF_AN_HOUR = timedelta(minutes=30)


def restated(row: SignOff, old: bytes, new: bytes, *, signs: bool = False) -> None:
    """Another statement under the signature of the first; or, by whoever has the server's key, under one of its own."""
    row.statement = bytes(row.statement).replace(old, new)
    row.statement_hash = digest(row.statement)
    if signs:
        row.signature = signing_key().sign(signed_message(row.statement)).value


def asserted_anew(forge, row: SignOff, passkey: Passkey | None = None, **more) -> None:
    """Another answer of a passkey, which is as it should be but for MORE."""
    passkey = passkey or Passkey.objects.get(credential_id=row.credential_id)
    said = forge.hands.assertion(passkey, **{"challenge": challenge_of(bytes(row.statement)), **more})
    row.credential_id, row.authenticator_data, row.client_data = said.credential_id, said.authenticator_data, said.client_data
    row.assertion, row.rp_id, row.origin = said.signature, said.rp_id, said.origin


def emptied(row: SignOff) -> None:
    row.credential_id = row.authenticator_data = row.client_data = row.assertion = b""
    row.rp_id = row.origin = ""


def moved(forge, row: SignOff) -> None:
    """To the newest revision of another change."""
    other = forge.world.change((forge.world.changes.index(row.change_id) + 1) % len(forge.world.changes))
    row.change, row.revision, row.requester = other, newest(other), other.requester


def told_by_another(forge, row: SignOff, name: str) -> None:
    row.person = forge.person(name)


# What is done to an agreement that was right. Each is given the history and the row.
ROWS: dict[str, Callable[..., None]] = {
    "as it was": lambda forge, row: None,
    "no signature": lambda forge, row: setattr(row, "signature", bytes(64)),
    "backwards": lambda forge, row: setattr(row, "signature", bytes(row.signature)[::-1]),
    "one bit": lambda forge, row: restated(row, b'"schema":1', b'"schema":0'),
    "another reason": lambda forge, row: restated(row, b'"reason":""', b'"reason":"Sure."'),
    "another hash": lambda forge, row: setattr(row, "statement_hash", digest(bytes(row.signature))),
    "an unknown key": lambda forge, row: setattr(row, "key_id", "ed25519-" + "0" * 32),
    "for another change": moved,
    "by Ben": lambda forge, row: told_by_another(forge, row, "ben"),
    "by Mia": lambda forge, row: told_by_another(forge, row, "mia"),
    "earlier": lambda forge, row: setattr(row, "given_at", row.given_at - HALF_AN_HOUR),
    "later": lambda forge, row: setattr(row, "given_at", row.given_at + HALF_AN_HOUR),
    "another meaning": lambda forge, row: setattr(row, "meaning", "REVIEW"),
    "covers less": lambda forge, row: setattr(row, "covered_parts", ["scope"]),
    "said with the key to be by Ben": lambda forge, row: restated(
        row, str(row.person.public_id).encode(), str(forge.person("ben").public_id).encode(), signs=True
    ),
    "said with the key to be a yes by passkey": lambda forge, row: restated(
        row, b'"credential":"password_and_code"', b'"credential":"passkey"', signs=True
    ),
    "said with the key to be by a session": lambda forge, row: restated(
        row, b'"credential":"password_and_code"', b'"credential":"session"', signs=True
    ),
}
# What is done to the answer of a passkey, by somebody who has the server's key and not the person's device.
ANSWERS: dict[str, Callable[..., None]] = {
    "no answer": lambda forge, row: emptied(row),
    "an answer cut short": lambda forge, row: setattr(row, "assertion", bytes(row.assertion)[:-1]),
    "an answer to something else": lambda forge, row: asserted_anew(forge, row, challenge=bytes(32)),
    "not verified": lambda forge, row: asserted_anew(forge, row, user_verified=False),
    "for another place": lambda forge, row: asserted_anew(forge, row, rp_id="elsewhere.example"),
    "from another place": lambda forge, row: asserted_anew(forge, row, origin="https://elsewhere.example"),
    "to another place in the row too": lambda forge, row: setattr(row, "rp_id", "elsewhere.example"),
    "of somebody else's passkey": lambda forge, row: asserted_anew(forge, row, forge.hands.enrol(forge.person("sam"), forge.world.start)),
    "of a passkey that came later": lambda forge, row: asserted_anew(forge, row, forge.hands.enrol(row.person, forge.clock + HOUR)),
    "of a passkey that was gone": lambda forge, row: asserted_anew(
        forge, row, forge.hands.enrol(row.person, forge.world.start - DAY, removed_at=forge.clock - HOUR)
    ),
    "of a passkey from elsewhere": lambda forge, row: asserted_anew(
        forge, row, forge.hands.enrol(row.person, forge.world.start - DAY, rp_id="elsewhere.example")
    ),
    "of another passkey of theirs": lambda forge, row: asserted_anew(forge, row, forge.hands.enrol(row.person, forge.world.start - DAY)),
}


class Forged:
    """Hand-made rows."""

    world: World

    @deed(
        name=st.sampled_from(["tom", "tom", "bea", "tom", "ben", "mia"]),
        number=NUMBERS,
        how=st.sampled_from([*ROWS, *ANSWERS]),
        lets=st.booleans(),
        instead=st.sampled_from([True, True, False]),
    )
    def put_in_an_agreement_by_hand(self, name, number, how, lets, instead):
        """An agreement as it would be signed, and then something about it is not right.

        LETS: it was signed under a policy that keeps nobody out, by somebody who was there. INSTEAD: what they had signed is gone."""
        self.clock += timedelta(seconds=1)
        if instead:
            standing = SignOff.objects.filter(change=self.world.changes[number], person=self.world.people[name], withdrawn_at=None)
            standing.update(withdrawn_at=self.clock, withdrawn_by="SYSTEM:test")
        row = self.made_and_undone(name, number, lets=lets)
        if row is None or (how in ANSWERS and not row.credential_id):
            return
        row.pk, row.public_id = None, uuid4()
        {**ROWS, **ANSWERS}[how](self, row)
        self.put_in(row)

    def made_and_undone(self, name, number, *, lets):
        """What the real verb would write."""
        with rolled_back():
            change, person = self.world.change(number), self.person(name)
            if lets:
                Person.objects.filter(pk=person.pk, merged_into=None).update(is_active=True, deactivated_at=None)
                place = self.world.target("web/live")
                for service in (None, place.service):
                    make_policy(place.environment, service=service, exclude=["requester"])
                person.refresh_from_db()
            row = self.tried(lambda *, now: self.hands.agree(change, person, now))
            transaction.set_rollback(True)
        return row

    def put_in(self, row):
        """Whatever a constraint refuses is not there."""
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            self.seen["not put in"] += 1
        else:
            self.seen["put in by hand"] += 1

    @deed(number=NUMBERS, version=st.sampled_from(sorted(VERSIONS)), how=st.sampled_from(["stale", "parts", "all"]))
    def put_in_a_revision_by_hand(self, number, version, how):
        """Another version where people agreed to one: the digests beside it stale, or made anew for the parts, or for everything."""
        change = Change.objects.get(pk=self.world.changes[number])
        old = newest(change)
        said = json.loads(bytes(old.scope))
        for item in said["items"]:
            item["version"]["identities"] = sorted(VERSIONS[version])
        row = Revision.objects.get(pk=old.pk)
        row.pk, row.public_id, row.number = None, uuid4(), old.number + 1
        row.scope = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
        if how != "stale":
            row.scope_digest = digest(row.scope)
        if how == "all":
            row.digest = revision_digest(replace(old.bound, number=row.number), part_digests=row.part_digests)
        row.save(force_insert=True)
        Change.objects.filter(pk=change.pk).update(revision=row)
        for leg in change.legs.filter(is_open=True):
            for one in VERSIONS[version]:
                given = {"service_id": leg.service_id, "environment_id": leg.environment_id, "is_open": True}
                LegIdentity.objects.get_or_create(leg=leg, identity=one, defaults=given)
