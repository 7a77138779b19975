"""What seldom moves and is kept in the process: it is never older than the database, whoever writes and however it ends."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.db import DatabaseError, connection, transaction

from apps.accounts.models import Membership, Person, RoleGrant
from apps.accounts.roles import Role
from apps.approvals.models import Policy, SignOff
from apps.audit.models import PublicKey
from apps.catalog.models import Environment, EnvironmentAlias, Ownership, Service, ServiceAlias, Target
from apps.catalog.settings_body import settings_bytes
from apps.changes.models import Change, Leg, Revision
from apps.changes.states import State
from apps.core.signing import signing_key
from apps.gate import ground
from apps.gate.called import FUNCTIONS
from apps.gate.checks import WATCHED
from apps.gate.gather import gather
from apps.gate.ground import ground_of
from apps.gate.legs import EDITORS, EVERYONE, PERSON, POLICY
from apps.gate.models import RuleMode
from apps.gate.rules import Answer, Question, judge
from apps.gate.statement import ASKED, GROUND, MOVING
from apps.gate.wire import read
from apps.schedule.models import CalendarRule, Hold
from tests.conftest import NOW
from tests.factories.accounts import give_team_role, make_person
from tests.factories.approvals import a_rule, approve, make_change, make_place, make_policy
from tests.factories.catalog import SETTINGS, ArrivalFactory, EnvironmentFactory, ServiceRoleFactory, TargetSettingsFactory, make_target
from tests.factories.changes import COMMIT, OTHER_COMMIT
from tests.factories.gate import RuleModeFactory, make_gate_token
from tests.factories.schedule import CalendarRuleFactory, HoldFactory
from tests.gate.gather_plain import gather_plainly
from tests.gate.test_differential import World, bare

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
STAMP = "select bit_xor(stamp) from gate_ground"

# Rows that nobody can change: what was read of them once holds for ever.
NEVER_CHANGED = {"changes_revision"}


def forget_ground() -> None:
    ground._kept.clear()


def stamp() -> int:
    with connection.cursor() as cursor:
        cursor.execute(STAMP)
        return cursor.fetchone()[0]


def run(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(text)


def watched() -> dict[str, set[str]]:
    """The tables that give a new stamp, and the columns they are watched for; none: every column."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select t.tgrelid::regclass::text, coalesce(array_agg(a.attname) filter (where a.attname is not null), '{}')
               from pg_trigger t left join pg_attribute a on a.attrelid = t.tgrelid and a.attnum = any(t.tgattr)
               where t.tgname = 'gate_ground' and t.tgenabled = 'A' and t.tgtype & 4 > 0 group by 1"""
        )
        return {table: {*columns} for table, columns in cursor.fetchall()}


def tables_in(text: str) -> set[str]:
    return set(re.findall(r"(?:from|join)\s+([a-z]+_[a-z]+)\b", text))


def kept_texts() -> str:
    """Everything that is read whole and is not read again while the stamp is the same."""
    place = ASKED.replace("{joins}", "").replace("left join gate_gatetoken k on k.hash = $1", "")
    return "\n".join([place, *GROUND.values(), PERSON, POLICY, EVERYONE, EDITORS, "join approvals_policyversion"])


@pytest.mark.django_db
def test_every_table_that_is_kept_gives_a_new_stamp_when_it_is_written():
    assert tables_in(kept_texts()) - NEVER_CHANGED == set(watched())


@pytest.mark.django_db
def test_whatever_is_read_without_moving_is_kept_or_read_again():
    """The statement of what moves reads tables of its own; a table that both read is watched for the columns that are kept."""
    moving = "\n".join([*MOVING.values(), *(one.body for one in FUNCTIONS if one.name == "gate_moving")])
    both = tables_in(moving) & set(watched())
    assert both <= {"accounts_passkey"}


@pytest.mark.django_db
@pytest.mark.parametrize("deed", ["delete", "insert", "truncate", "update"])
def test_every_kind_of_write_is_watched(deed):
    """By what PostgreSQL has noted of each trigger: after, for each statement, for this event."""
    bit = {"insert": 4, "delete": 8, "update": 16, "truncate": 32}[deed]
    with connection.cursor() as cursor:
        cursor.execute("select tgrelid::regclass::text, tgtype from pg_trigger where tgname = 'gate_ground'")
        kinds = dict(cursor.fetchall())

    unwatched = {table for table, kind in kinds.items() if not kind & bit or kind & 1 or kind & 2}
    assert unwatched == (NEVER_CHANGED if deed == "insert" else set())


@pytest.mark.django_db
def test_what_is_not_watched_of_a_table_is_not_read():
    watched_of = {table: columns for table, columns in watched().items() if columns}
    assert set(watched_of) == {"accounts_person", "accounts_team", "catalog_target"}
    texts = {
        "accounts_person": PERSON + EVERYONE + EDITORS,
        "accounts_team": PERSON + EVERYONE,
        "catalog_target": ASKED.replace("{target_columns}", "") + GROUND["rungs"] + GROUND["place"],
    }
    for table, columns in watched_of.items():
        with connection.cursor() as cursor:
            cursor.execute("select attname from pg_attribute where attrelid = %s::regclass and attnum > 0", [table])
            others = {name for (name,) in cursor.fetchall()} - columns - {"id"}
        assert others
        # What a place tells besides is compared with what is read now: its settings.
        read = {column for column in others if re.search(rf"\b[a-z]\.{column}\b", texts[table])} - {"settings_id"}
        allowed = {"name", "slug"} if table == "accounts_team" else {"name", "time_zone"} if table == "catalog_target" else set()
        assert read - allowed == set(), table


@pytest.fixture
def asked(own_gate):
    """A question that is a yes, asked twice: its ground is kept."""
    target = make_place(policy=False)
    make_policy(target.environment, a_rule(), a_rule("release", group={"kind": "ROLE", "role": Role.RELEASE_MANAGER}, stage=2))
    give_team_role(make_person(), Role.RELEASE_MANAGER, target.service.team)
    below = make_target(target.service, EnvironmentFactory(rank=target.environment.rank - 1))
    ArrivalFactory(target=below, identities=[COMMIT])
    make_change(targets=(target,))
    token, _ = make_gate_token(target.service)
    question = Question(target.service.slug, target.environment.slug, (COMMIT,), credential=bytes(token.hash))
    assert judge(gather(question, now=NOW).facts).verdict is Answer.ALLOW
    return question


def business() -> Person:
    return SignOff.objects.order_by("pk").first().person


DEEDS = {
    "a hold is placed": HoldFactory,
    "a freeze is declared": lambda: CalendarRuleFactory(kind="FREEZE", starts_at=NOW - HOUR, ends_at=NOW + HOUR),
    "a window is declared": lambda: CalendarRuleFactory(kind="WINDOW", starts_at=NOW + HOUR, ends_at=NOW + 2 * HOUR),
    "a rule asks less": lambda: RuleModeFactory(environment=Environment.objects.get(slug=PLACE["environment"]), rule="agreed", mode="OFF"),
    "somebody who signed is deactivated": lambda: Person.objects.filter(pk=business().pk).update(is_active=False, deactivated_at=NOW),
    "somebody who signed owns nothing any more": lambda: Ownership.objects.filter(person=business()).update(
        ended_at=NOW, ended_by="SYSTEM:test"
    ),
    "a role is taken away": lambda: RoleGrant.objects.filter(role=Role.RELEASE_MANAGER).update(revoked_at=NOW, revoked_by="SYSTEM:test"),
    "a policy ends": lambda: Policy.objects.update(retired_at=NOW),
    "the service is retired": lambda: Service.objects.filter(slug=PLACE["service"]).update(retired_at=NOW),
    "the service is renamed": lambda: Service.objects.filter(slug=PLACE["service"]).update(slug="another-name"),
    "the environment is retired": lambda: Environment.objects.filter(slug=PLACE["environment"]).update(retired_at=NOW),
    "the environment asks for no change": lambda: Environment.objects.filter(slug=PLACE["environment"]).update(change_required="NO"),
    "the target is locked": lambda: Target.objects.filter(environment__slug=PLACE["environment"]).update(
        locked_at=NOW, locked_by="SYSTEM:test", lock_reason="Disk swap."
    ),
    "the target is retired": lambda: Target.objects.filter(environment__slug=PLACE["environment"]).update(retired_at=NOW),
    "a sign-off is withdrawn": lambda: SignOff.objects.filter(pk=SignOff.objects.order_by("pk").first().pk).update(
        withdrawn_at=NOW, withdrawn_by="SYSTEM:test"
    ),
    "an environment comes in between": lambda: make_target(
        Service.objects.get(slug=PLACE["service"]), EnvironmentFactory(rank=Environment.objects.get(slug=PLACE["environment"]).rank - 1)
    ),
    "somebody is given a role for the service": lambda: ServiceRoleFactory(
        service=Service.objects.get(slug=PLACE["service"]), person=business(), role=Role.RELEASE_MANAGER
    ),
}
PLACE: dict[str, str] = {}


@pytest.mark.parametrize("deed", sorted(DEEDS))
def test_kept_ground_is_never_older_than_the_database(asked, deed):
    PLACE.update(service=asked.service, environment=asked.environment)
    before = gather(asked, now=NOW).facts
    DEEDS[deed]()

    after = gather(asked, now=NOW).facts
    forget_ground()

    assert after == gather(asked, now=NOW).facts
    assert after != before


@pytest.mark.parametrize("seed", range(100, 104))
def test_generated_worlds_are_read_alike_whole_and_on_kept_ground(own_gate, seed):
    for question in World(seed).questions():
        whole, *kept = (gather(question, now=NOW).facts for _ in range(3))

        assert kept == [whole, whole]
        assert bare(whole) == bare(gather_plainly(question, now=NOW))


def test_looking_ahead_does_not_take_the_place_of_now(asked):
    before = ground_of(asked, key_id=signing_key().id)
    gather(asked, now=before.since - HOUR)

    assert ground_of(asked, key_id=signing_key().id) is before


def test_what_is_asked_again_reads_only_what_moves(asked, monkeypatch):
    sent = []
    monkeypatch.setattr("apps.gate.gather.read", lambda statement, values: sent.append(statement.name) or read(statement, values))

    gather(asked, now=NOW)
    gather(replace(asked, identities=(OTHER_COMMIT,)), now=NOW)
    gather(replace(asked, key="run-1"), now=NOW)
    HoldFactory()
    gather(asked, now=NOW)
    gather(asked, now=NOW)

    moving = "gate_gather_moving_rungs"
    assert sent == [moving, moving, "gate_gather_moving_keyed_rungs", moving, "gate_gather", moving]


def test_a_border_of_the_calendar_is_never_passed_on_kept_ground(own_gate):
    target = make_place()
    CalendarRuleFactory(
        kind="FREEZE", starts_at=NOW + HOUR, ends_at=NOW + 2 * HOUR, expanded_until=NOW + 3 * HOUR, live_until=NOW + 4 * HOUR
    )
    question = Question(target.service.slug, target.environment.slug, (COMMIT,))
    moments = [NOW + hours * HOUR + step for hours in range(6) for step in (-SECOND, timedelta(0), SECOND)]

    kept = [gather(question, now=moment).facts.calendar for moment in moments]
    back = [gather(question, now=moment).facts.calendar for moment in reversed(moments)]
    fresh = []
    for moment in moments:
        forget_ground()
        fresh.append(gather(question, now=moment).facts.calendar)

    assert kept == fresh
    assert [*reversed(back)] == fresh
    assert len({str(one) for one in fresh}) >= 3


@pytest.mark.parametrize("again", [False, True], ids=["then nothing", "then another one"])
def test_what_was_rolled_back_is_on_no_ground(asked, again):
    with transaction.atomic():
        HoldFactory(reason="Never happened.")
        assert [one.reason for one in gather(asked, now=NOW).facts.holds] == ["Never happened."]
        transaction.set_rollback(True)
    if again:
        HoldFactory(reason="Happened.")

    assert [one.reason for one in gather(asked, now=NOW).facts.holds] == (["Happened."] if again else [])


def test_savepoint_that_is_rolled_back_takes_its_stamp_with_it(asked):
    first = stamp()
    with transaction.atomic():
        before = transaction.savepoint()
        HoldFactory()
        assert gather(asked, now=NOW).facts.holds
        transaction.savepoint_rollback(before)
        assert (stamp(), gather(asked, now=NOW).facts.holds) == (first, ())
        HoldFactory()

    assert stamp() != first
    assert gather(asked, now=NOW).facts.holds


def test_one_transaction_gives_one_stamp_and_keeps_nothing(asked):
    first, kept = stamp(), ground_of(asked, key_id=signing_key().id)
    with transaction.atomic():
        HoldFactory()
        second = stamp()
        HoldFactory()
        assert len(gather(asked, now=NOW).facts.holds) == 2
        assert (stamp(), ground_of(asked, key_id=signing_key().id)) == (second, kept)

    assert first != second
    assert len(gather(asked, now=NOW).facts.holds) == 2


def test_inside_a_transaction_nothing_is_taken_from_memory(asked, monkeypatch):
    sent = []
    monkeypatch.setattr("apps.gate.gather.read", lambda statement, values: sent.append(statement.name) or read(statement, values))
    with transaction.atomic():
        gather(asked, now=NOW)
    gather(asked, now=NOW)

    assert sent == ["gate_gather", "gate_gather_moving_rungs"]


@pytest.mark.parametrize("damage", ["delete from gate_ground where slot = 3", "truncate gate_ground"])
def test_stamps_that_are_not_whole_keep_nothing(asked, own_gate, damage):
    with own_gate.connect(own_gate.owner_url) as owner:
        owner.execute(damage)

    assert gather(asked, now=NOW).ground.stamp is None
    with own_gate.connect(own_gate.owner_url) as owner:
        owner.execute("alter table schedule_hold disable trigger gate_ground")
    HoldFactory()
    assert gather(asked, now=NOW).facts.holds
    assert [found.id for found in run_checks(databases=["default"])].count("gate.W003") == 1


def test_without_stamps_nothing_is_written_that_the_gate_would_not_see(asked, own_gate):
    with own_gate.connect(own_gate.owner_url) as owner:
        owner.execute("truncate gate_ground")

    with pytest.raises(DatabaseError, match="lost its rows"):
        HoldFactory()


@pytest.mark.parametrize("how", ["disable trigger gate_ground", "enable trigger gate_ground"])
def test_check_names_the_tables_whose_writes_would_not_be_seen(asked, own_gate, how):
    assert "gate.W003" not in [found.id for found in run_checks(databases=["default"])]
    with own_gate.connect(own_gate.owner_url) as owner:
        owner.execute(f"alter table schedule_hold {how}")

    (found,) = [found for found in run_checks(databases=["default"]) if found.id == "gate.W003"]
    assert "schedule_hold" in found.msg


@pytest.mark.django_db
def test_check_knows_every_table():
    assert {*WATCHED} == {*watched(), *NEVER_CHANGED}


def test_another_revision_under_the_same_number_and_stamp_is_another_one(asked):
    """As after a restore: the stamp came back, and row numbers are given out again."""
    gather(asked, now=NOW)
    kept = ground_of(asked, key_id=signing_key().id)
    told = {"revision_id": "01980000-0000-7000-8000-000000000001", "requester_pk": 1, "kind": "NORMAL", "risk": None, "sign_offs": []}

    with pytest.raises(KeyError):
        kept.known.whole({**told, "pk": 1})


def test_changing_what_is_never_changed_gives_a_new_stamp(asked, own_gate):
    first = stamp()
    with own_gate.connect(own_gate.owner_url) as owner:
        owner.execute("update changes_revision set number = number where false")

    assert stamp() != first


def test_writers_do_not_wait_for_each_other(asked, own_gate):
    first = stamp()
    insert = "update gate_rulemode set mode = mode"
    with own_gate.connect() as one, own_gate.connect() as two:
        for other in (one, two):
            other.execute("set lock_timeout = '2s'")
            other.execute("begin")
            other.execute(insert)
        assert stamp() == first
        one.execute("commit")
        second = stamp()
        two.execute("commit")

    assert len({first, second, stamp()}) == 3


def test_the_ninth_writer_waits_and_nothing_is_lost(asked, own_gate, racer, wait_until_blocked):
    write = "update gate_rulemode set mode = mode"
    lines = [own_gate.connect() for _ in range(8)]
    for line in lines:
        line.execute("begin")
        line.execute(write)
    first = stamp()
    last = own_gate.connect()
    row = 1 + last.info.backend_pid % 8  # which it waits for
    late = racer(lambda: last.execute(write))
    wait_until_blocked(lines[row - 1].info.backend_pid)
    stamps = {first}
    for line in lines:
        line.execute("commit")
        stamps.add(stamp())
        line.close()
    late.result()
    last.close()

    assert len(stamps | {stamp()}) >= 9


@pytest.mark.django_db
@pytest.mark.parametrize("deed", ["delete from gate_ground", "insert into gate_ground values (9, 9)", "update gate_ground set stamp = 1"])
def test_application_gives_no_stamp_by_itself(deed):
    with pytest.raises(DatabaseError), transaction.atomic():
        run(deed)


def test_a_setting_of_the_session_does_not_switch_it_off(own_gate):
    first = stamp()
    with own_gate.connect(own_gate.superuser_url) as admin:
        admin.execute("set session_replication_role = replica")
        admin.execute("update gate_rulemode set mode = mode")

    assert stamp() != first


def test_place_that_does_not_exist_is_not_kept(own_gate):
    question = Question("nothing", "nowhere", (COMMIT,))
    gather(question)

    assert ground_of(question, key_id=signing_key().id) is None


def test_more_places_than_are_kept_are_read_anew(asked, monkeypatch):
    monkeypatch.setattr(ground, "KEPT", 1)
    other = make_place()
    gather(Question(other.service.slug, other.environment.slug, (COMMIT,)), now=NOW)

    assert ground_of(asked, key_id=signing_key().id) is None
    assert judge(gather(asked, now=NOW).facts).verdict is Answer.ALLOW


def test_more_legs_than_are_kept_are_read_anew(asked, monkeypatch):
    monkeypatch.setattr(ground, "KEPT_LEGS", 0)
    before = gather(asked, now=NOW).facts
    target = Target.objects.get(environment__slug=asked.environment)
    make_change(targets=(target,))

    after = gather(asked, now=NOW).facts

    assert len(after.legs) == len(before.legs) + 1
    forget_ground()
    assert gather(asked, now=NOW).facts == after


def test_revision_that_is_new_is_read_whole(asked):
    """A leg that is told in other words than the last time is read again; what nobody has read yet, with everything."""
    gather(asked, now=NOW)
    target = Target.objects.get(environment__slug=asked.environment)
    change = make_change(State.IN_REVIEW, targets=(target,))
    waiting = gather(asked, now=NOW).facts
    approve(change, business())
    signed = gather(asked, now=NOW).facts
    forget_ground()

    assert len(waiting.legs) == 2
    assert [len(leg.quorum.sign_offs) for leg in signed.legs] != [len(leg.quorum.sign_offs) for leg in waiting.legs]
    assert signed == gather(asked, now=NOW).facts


def test_settings_that_go_back_are_seen(asked):
    """Which of its settings a target has is compared and not watched: deployments write to targets all the time."""
    target = Target.objects.get(environment__slug=asked.environment)
    first, second = (
        TargetSettingsFactory(target=target, number=number, body=settings_bytes({**SETTINGS, "bake_seconds": number}))
        for number in (11, 12)
    )
    found = []
    for settings in (first, second, first, second):
        Target.objects.filter(pk=target.pk).update(settings=settings)
        facts = [gather(asked, now=NOW).facts for _ in range(3)]
        assert facts[0] == facts[1] == facts[2]
        found.append((facts[0].target.bake_seconds, {*facts[0].legs[0].quorum.settings.values()}))

    assert found == [(11, {first.digest}), (12, {second.digest})] * 2


@pytest.mark.parametrize(
    ("model", "values"),
    [(Change, {"risk": 9}), (Leg, {"failures_count": 2})],
    ids=["risk", "failures"],
)
def test_change_that_moves_under_the_same_revision_is_seen(asked, model, values):
    before = gather(asked, now=NOW).facts
    model.objects.update(**values)

    after = gather(asked, now=NOW).facts
    forget_ground()

    assert after == gather(asked, now=NOW).facts
    assert "failures_count" not in values or after != before


def test_models_that_are_kept_are_named_as_their_tables():
    kept = (CalendarRule, Environment, EnvironmentAlias, Hold, Membership, Ownership, Person, Policy, PublicKey, RoleGrant, RuleMode)
    assert {model._meta.db_table for model in (*kept, Service, ServiceAlias, Target)} <= tables_in(kept_texts()) | {"accounts_membership"}
    assert Revision._meta.db_table in NEVER_CHANGED
