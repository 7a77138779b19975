"""The verbs about issuers and trusts: what is recorded, what a broken record leaves, and two administrators at once."""

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from apps.accounts.roles import Role
from apps.audit.stream import entries_about, latest
from apps.core.refusals import Refused
from apps.gate import trusting
from apps.gate.models import GateToken, Issuer, Trust
from apps.gate.trusting import confirm_trust, end_issuer, end_trust
from tests.factories.accounts import make_person
from tests.gate.ci import make_issuer, make_trust
from tests.gate.test_races import pid

URL = "https://token.actions.githubusercontent.com"


@pytest.fixture
def waiting(own_database):
    """A trust that waits for a second administrator, and both of them."""
    ada, bea = make_person(Role.ADMINISTRATOR, name="Ada"), make_person(Role.ADMINISTRATOR, name="Bea")
    return make_trust(make_issuer(URL, by=ada), by=ada), ada, bea


def code(verb):
    with pytest.raises(Refused) as refused:
        verb()
    return refused.value.refusal.code


def test_trust_is_told_with_its_pins_and_who_agreed(waiting):
    trust, ada, bea = waiting

    confirm_trust(trust.pk, by=bea.actor)

    begun, proposed = entries_about(trust.reference, limit=5)
    assert (proposed.event, begun.event) == ("trust.proposed", "trust.begun")
    assert (proposed.by.id, begun.by.id) == (str(ada.public_id), str(bea.public_id))
    assert (begun.data["project"], begun.data["refs"], begun.details["proposer"]) == ("456789", ["refs/heads/main"], "Ada")


def test_refused_attempt_is_recorded(waiting):
    trust, ada, _ = waiting

    assert code(lambda: confirm_trust(trust.pk, by=ada.actor)) == "own_proposal"

    entry = next(iter(latest(limit=1)))
    assert (entry.event, entry.data["code"], entry.subject) == ("trust.refused", "own_proposal", trust.reference)


def test_ended_issuer_ends_its_trusts_and_says_so_of_each(waiting):
    trust, ada, bea = waiting
    confirm_trust(trust.pk, by=bea.actor)
    second = make_trust(trust.issuer, by=ada, name="Another job")

    end_issuer(trust.issuer_id, by=bea.actor)

    assert GateToken.objects.filter(pk__in=[trust.pk, second.pk], revoked_at__isnull=False).count() == 2
    assert [one.event for one in latest(limit=3)] == ["issuer.ended", "trust.ended", "trust.ended"]
    assert code(lambda: make_trust(trust.issuer, by=ada)) == "issuer_over"
    assert code(lambda: end_issuer(trust.issuer_id, by=ada.actor)) == "issuer_over"


@pytest.mark.parametrize("verb", ["confirm_trust", "end_trust", "end_issuer"])
def test_broken_record_leaves_everything_as_it_was(waiting, monkeypatch, verb):
    trust, _, bea = waiting

    def broken(*_, **__):
        raise RuntimeError("no stream")

    monkeypatch.setattr(trusting, "record", broken)
    about = trust.issuer_id if verb == "end_issuer" else trust.pk
    with pytest.raises(RuntimeError, match="no stream"):
        getattr(trusting, verb)(about, by=bea.actor)

    assert Trust.objects.filter(in_force_at__isnull=True, grant__revoked_at__isnull=True).count() == 1
    assert Issuer.objects.filter(ended_at__isnull=True).count() == 1


def test_of_two_who_decide_at_once_the_second_is_told_what_the_first_did(waiting, racer, wait_until_blocked):
    trust, ada, bea = waiting
    backends = []

    def ended():
        backends.append(pid())
        return end_trust(trust.pk, by=ada.actor)

    with own_lock(trust) as blocker:
        first = racer(ended)
        wait_until_blocked(blocker)
        second = racer(lambda: confirm_trust(trust.pk, by=bea.actor))
        wait_until_blocked(backends[0])  # in the queue behind it: it cannot slip past when the row is let go
    first.result()

    with pytest.raises(Refused) as refused:
        second.result()

    trust.refresh_from_db()
    assert (refused.value.refusal.code, trust.in_force_at) == ("trust_over", None)


def own_lock(trust):
    """Hold the row, so that whoever decides waits."""

    class Held:
        def __enter__(self):
            self.block = transaction.atomic()
            self.block.__enter__()
            Trust.objects.select_for_update().get(pk=trust.pk)
            with connection.cursor() as cursor:
                cursor.execute("select pg_backend_pid()")
                return cursor.fetchone()[0]

        def __exit__(self, *given):
            self.block.__exit__(*given)

    return Held()


@pytest.mark.parametrize(
    "statement",
    [
        "update gate_trust set project = '1'",
        "update gate_trust set refs = '{}'",
        "update gate_trust set takes_merge_requests = true",
        "delete from gate_trust",
        "truncate gate_trust",
        "update gate_issuer set url = 'https://evil.example'",
        "delete from gate_issuer",
    ],
)
def test_what_a_trust_is_pinned_to_never_changes(waiting, own_database, statement):
    with own_database.connect() as app, pytest.raises(psycopg.Error):
        app.execute(statement)


def test_nobody_confirms_alone_even_past_the_verbs(waiting):
    trust, ada, _ = waiting

    with pytest.raises(DatabaseError, match="nobody_confirms_own_trust"), transaction.atomic():
        Trust.objects.filter(pk=trust.pk).update(in_force_at=trust.grant.issued_at, confirmed_by=ada)
