"""The statement's plan and the number of trips: what a growing installation must not change."""

import hashlib

import pytest
from psycopg import pq, sql

from apps.catalog.models import Target
from apps.gate import wire
from apps.gate.gather import gather
from apps.gate.rules import Question
from apps.gate.statement import TYPES, TYPES_ON_GROUND
from tests.factories.approvals import a_rule, make_change, make_place, make_policy
from tests.factories.changes import COMMIT
from tests.factories.gate import ask, body_for, make_gate_token
from tests.gate.bulk import analyse, fill

OTHER_COMMIT = f"git:{'9' * 40}"
MOST_BUFFERS, MOST_BUFFERS_WHOLE = 120, 300  # of every question, and of the first one about a place
OF_ONE_PAGE = {"audit_installation", "gate_ground"}


class Wiretap:
    """Counts what is sent to the server, by libpq itself."""

    def __init__(self, monkeypatch) -> None:
        self.sent: list[str] = []
        original = wire.write

        def write(statement, parameters):
            self.sent.append(statement.name)
            return original(statement, parameters)

        monkeypatch.setattr(wire, "write", write)
        monkeypatch.setattr("apps.gate.recording.write", write)


def session():
    return wire._own_connection()


def plan(question: Question, *, whole: bool) -> dict:
    """The plan that the gate's own session has kept, run once with its costs: of the whole gather, or of what moves."""
    if whole:
        name, types = "gate_gather", TYPES
        values = (question.credential, question.service, question.environment, [*question.identities], None, None, "", "none")
    else:
        name, types = "gate_gather_moving", TYPES_ON_GROUND
        where = gather(question).ground.where
        values = (question.credential, *where, [*question.identities], "", [], None, None)
    arguments = sql.SQL(", ").join(
        sql.SQL("{}::{}").format(sql.Literal(value), sql.SQL(kind)) for value, kind in zip(values, types, strict=True)
    )
    statement = sql.SQL("explain (analyze, buffers, format json) execute {} ({})").format(sql.Identifier(name), arguments)
    ((found,),) = session().execute(statement).fetchall()
    return found[0]


def warm_plans(question: Question) -> list[tuple[dict, int]]:
    """Each with the most buffers it may touch. The second run: the first one after many writes also reads the indexes' own pages."""
    for whole in (True, False):
        plan(question, whole=whole)
    return [(plan(question, whole=True), MOST_BUFFERS_WHOLE), (plan(question, whole=False), MOST_BUFFERS)]


def nodes(node: dict):
    yield node
    for child in node.get("Plans", ()):
        yield from nodes(child)


def seq_scans(found: dict) -> set[str]:
    return {node["Relation Name"] for node in nodes(found["Plan"]) if node["Node Type"] == "Seq Scan"}


def make_approved(target: Target | None = None) -> tuple[Target, str]:
    """A place with an approved change, and the secret of who asks about it."""
    target = target or make_place()
    make_change(targets=(target,))
    return target, make_gate_token()[1]


def everyone_asked() -> tuple[Target, str]:
    """The same where the policy asks all owners."""
    target = make_place(policy=False)
    make_policy(target.environment, a_rule("everyone", group={"kind": "OWNER", "owner": "ANY"}, needed=0))
    return make_approved(target)


@pytest.fixture
def approved(own_gate):
    target, secret = make_approved()
    credential = hashlib.sha256(secret.encode()).digest()
    return target, secret, Question(target.service.slug, target.environment.slug, (COMMIT,), credential=credential)


def read_whole(question: Question) -> set[str]:
    """The tables that one gather reads from end to end, its functions included."""
    with session().transaction():
        gather(question)
        counted = "select relname from pg_stat_xact_user_tables where seq_scan > 0"
        return {name for (name,) in session().execute(counted).fetchall()}


@pytest.mark.slow
def test_plan_made_on_empty_tables_serves_a_hundred_thousand_changes(approved, own_gate):
    _, _, question = approved
    before = [gather(question).facts for _ in range(2)][1]  # the plans are made here, on a handful of rows
    with own_gate.connect(own_gate.owner_url) as owner:
        fill(owner, changes=100_000)

    unanalysed = warm_plans(question)
    assert read_whole(question) <= OF_ONE_PAGE
    after = gather(question).facts
    with own_gate.connect(own_gate.owner_url) as owner:
        analyse(owner)
    analysed = warm_plans(question)
    assert read_whole(question) <= OF_ONE_PAGE

    for found, most in (*unanalysed, *analysed):
        assert found["Plan"]["Shared Hit Blocks"] + found["Plan"]["Shared Read Blocks"] <= most
        assert seq_scans(found) <= OF_ONE_PAGE
    assert (after.legs, after.service, after.target) == (before.legs, before.service, before.target)


def test_every_statement_is_prepared_and_planned_once(approved):
    target, secret, _ = approved

    for _ in range(9):  # the first also notes the use of the token
        assert ask(secret, body_for(target, COMMIT)).status_code == 201

    counted = session().execute("select name, generic_plans, custom_plans from pg_prepared_statements").fetchall()
    assert {name: (generic >= 8, custom) for name, generic, custom in counted if name.startswith("gate_")} == {
        "gate_gather": (False, 0),  # once: from then on the ground is kept
        "gate_gather_moving": (True, 0),
        "gate_answer_asked_answered_told_handed_2": (True, 0),
        "gate_answer_asked_answered_told_used_handed_2": (False, 0),
    }


WRITES = "gate_answer_asked_answered_told_handed_2"


@pytest.mark.parametrize("changes", [10, 10_000])
@pytest.mark.parametrize(
    ("asks_everyone", "wanted"),
    [(False, ["gate_gather_moving", WRITES]), (True, ["gate_gather_moving", "gate_gather_everyone", WRITES])],
    ids=["named people", "everyone of a group"],
)
def test_an_evaluation_is_two_statements_or_three_whatever_there_is(own_gate, changes, asks_everyone, wanted, monkeypatch, tmp_path):
    target, secret = everyone_asked() if asks_everyone else make_approved()
    with own_gate.connect(own_gate.owner_url) as owner:
        fill(owner, changes=changes, services=20, people=20, rules=20)
    for _ in range(2):  # prepares; the first one also notes the use of the token
        ask(secret, body_for(target, COMMIT))
    tap = Wiretap(monkeypatch)

    with (tmp_path / "trace").open("w+b") as trace:
        session().pgconn.trace(trace.fileno())
        session().pgconn.set_trace_flags(pq.Trace.SUPPRESS_TIMESTAMPS)
        body = ask(secret, body_for(target, COMMIT)).json()
        session().pgconn.untrace()
        trace.seek(0)
        sent = [line.split(b"\t")[2] for line in trace if line.startswith(b"F\t")]

    assert body["verdict"] == "ALLOW"
    assert tap.sent == wanted
    assert (sent.count(b"Bind"), sent.count(b"Execute"), sent.count(b"Parse"), sent.count(b"Query")) == (len(wanted), len(wanted), 0, 0)


def test_planner_settings_stay_with_the_gate(approved):
    _, _, question = approved
    gather(question)

    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("show enable_seqscan")
        assert cursor.fetchone() == ("on",)
    assert session().execute("show enable_seqscan").fetchone() == ("off",)
    assert session().execute("show plan_cache_mode").fetchone() == ("force_generic_plan",)


def test_lost_connection_is_made_again_for_reading(approved, own_gate):
    _, _, question = approved
    gather(question)
    pid = session().info.backend_pid
    with own_gate.connect(own_gate.superuser_url) as admin:
        admin.execute("select pg_terminate_backend(%s)", [pid])

    assert gather(question).facts.service is not None
    assert session().info.backend_pid != pid


def test_facts_are_the_same_inside_a_transaction_and_outside(approved):
    _, _, question = approved
    from django.db import transaction

    outside = gather(question, now=gather(question).facts.now).facts
    with transaction.atomic():
        inside = gather(question, now=outside.now).facts

    assert inside == outside


def test_record_of_an_allow_is_on_disk_before_it_is_spoken_even_after_a_no_and_where_the_database_waits_for_nothing(approved, own_gate):
    target, secret, _ = approved
    with own_gate.connect(own_gate.superuser_url) as admin:
        admin.execute(sql.SQL("alter database {} set synchronous_commit = off").format(sql.Identifier(admin.info.dbname)))
        wire.close()
        assert ask(secret, body_for(target, OTHER_COMMIT)).json()["verdict"] == "DENY"
        before = admin.execute("select pg_current_wal_insert_lsn()").fetchone()[0]
        assert ask(secret, body_for(target, COMMIT)).json()["verdict"] == "ALLOW"
        flushed = admin.execute("select pg_current_wal_flush_lsn() > %s::pg_lsn", [before]).fetchone()

    assert flushed == (True,)
