"""What was seen on a target: known, settling, or undeclared, and what becomes of that."""

from datetime import timedelta

import pytest
from django.urls import reverse

from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.catalog.models import Arrival, Environment, Outcome, Target
from apps.core.refusals import Refused
from apps.deployments.completeness import months_for
from apps.deployments.models import Deployment, Settled, Undeclared
from apps.deployments.observations import TOLD_AGAIN, settle_undeclared
from apps.deployments.pipelines import note_silent
from apps.deployments.rules.observing import MOST_OPEN, Meaning, Occupant, is_same, meaning_of
from apps.deployments.states import MOVES_OF_CI, State
from tests.conftest import NOW
from tests.deployments.test_pipelines import code, leg_of, silence
from tests.factories.accounts import make_person
from tests.factories.approvals import make_place
from tests.factories.catalog import COMMIT as RUNNING
from tests.factories.changes import COMMIT, OTHER_COMMIT
from tests.factories.gate import ARTIFACT, OTHER_ARTIFACT, make_gate_token, post
from tests.factories.pipelines import PATH, Job, PipelineFactory, UndeclaredFactory

ALIEN = "git:" + "ee" * 20


def see(job: Job, identity: str, **more):
    kind, _, value = identity.partition(":")
    place = {"service": job.target.service.slug, "environment": job.target.environment.slug, "identities": {kind: value}}
    return post(job.secret, f"{PATH}/observations", place | more)


@pytest.fixture
def job(db) -> Job:
    return Job()


@pytest.fixture
def operator(db):
    return make_person(Role.OPERATOR)


@pytest.mark.parametrize(
    ("seen", "known", "same"),
    [
        ([COMMIT], [COMMIT], True),
        ([COMMIT], [COMMIT, ARTIFACT], True),
        ([COMMIT, ARTIFACT], [COMMIT], True),
        ([COMMIT, OTHER_ARTIFACT], [COMMIT, ARTIFACT], False),
        ([COMMIT], [OTHER_COMMIT], False),
        ([COMMIT], [ARTIFACT], False),
        ([COMMIT], [], False),
        ([], [COMMIT], False),
    ],
)
def test_same_version_shares_an_identity_and_none_contradicts(seen, known, same):
    assert is_same(seen, known) is same


@pytest.mark.parametrize("state", sorted(MOVES_OF_CI))
@pytest.mark.parametrize("is_external", [True, False])
def test_meaning_in_every_state(state, is_external):
    occupant = Occupant(state, is_external, (COMMIT,), (RUNNING,))
    settles = is_external and state in {State.UNKNOWN, State.NEEDS_HUMAN}

    assert meaning_of((COMMIT,), running=(RUNNING,), occupant=occupant) is (Meaning.NEW_RUNS if settles else Meaning.ON_ITS_WAY)
    assert meaning_of((RUNNING,), running=(RUNNING,), occupant=occupant) is (Meaning.OLD_RUNS if settles else Meaning.ON_ITS_WAY)
    assert meaning_of((ALIEN,), running=(RUNNING,), occupant=occupant) is Meaning.UNDECLARED


def test_what_is_known_changes_nothing(job):
    answer = see(job, RUNNING)

    assert (answer.status_code, answer.json()["meaning"]) == (200, "KNOWN")
    assert not Undeclared.objects.exists()


def test_reported_success_is_confirmed_when_it_is_seen(job):
    job.begin()
    job.report("succeeded")

    answer = see(job, COMMIT, source="probe of the load balancer")

    assert answer.json() == {"meaning": "KNOWN", "deployment": job.id, "undeclared": None}
    assert not job.order.is_reported
    assert job.look().json()["is_confirmed"] is True
    assert Event.DEPLOYMENT_CONFIRMED in {entry.event for entry in entries_about(job.order.reference, limit=9)}


@pytest.mark.parametrize(("identity", "state", "leg"), [(COMMIT, "SUCCEEDED", "DONE"), (RUNNING, "FAILED", "FAILED")])
@pytest.mark.parametrize("doubt", ["silent", "needs_human"])
def test_observation_settles_what_nobody_knew(job, identity, state, leg, doubt):
    order = job.begin()
    if doubt == "silent":
        silence(order)
        note_silent(order.pk)
    else:
        job.report("failed", has_switched=True)

    see(job, identity)

    job.target.refresh_from_db()
    assert (job.order.state, leg_of(job).state, job.target.occupied_by) == (state, leg, None)


def say(job: Job, identity: str, **more):
    """A report of something that names no deployment."""
    kind, _, value = identity.partition(":")
    place = {"service": job.target.service.slug, "environment": job.target.environment.slug, "identities": {kind: value}}
    return post(job.secret, f"{PATH}/reports", place | more)


def test_report_of_what_began_nowhere_is_undeclared_until_somebody_says_what_it_is(job):
    first, again = say(job, ALIEN, label="hotfix", source="ccgate report"), say(job, ALIEN, source="ccgate report")

    assert (first.json()["meaning"], again.json()["undeclared"]["seen_count"]) == ("UNDECLARED", 2)
    see(job, RUNNING, source="probe")  # what looked elsewhere takes nothing back
    assert Undeclared.objects.get().settled_at is None
    assert (Undeclared.objects.get().label, Undeclared.objects.get().source) == ("hotfix", "ccgate report")


def test_report_that_names_no_deployment_confirms_nothing(job):
    job.begin()
    job.report("succeeded")

    assert say(job, COMMIT).json() == {"meaning": "KNOWN", "deployment": None, "undeclared": None}
    assert job.order.is_reported


@pytest.mark.parametrize("identity", [COMMIT, RUNNING])
def test_report_that_names_no_deployment_settles_nothing(job, identity):
    order = job.begin()
    silence(order)
    note_silent(order.pk)

    assert say(job, identity).json() == {"meaning": "ON_ITS_WAY", "deployment": job.id, "undeclared": None}
    assert job.order.state == "UNKNOWN"
    assert not Undeclared.objects.exists()


@pytest.mark.parametrize("end", ["failed", "succeeded"])
def test_report_said_again_within_a_day_is_of_what_it_was_about(job, end):
    job.begin()
    job.report(end)
    order = job.order
    if end == "succeeded":  # meanwhile something else came there
        Target.objects.filter(pk=job.target.pk).update(running_identities=[OTHER_COMMIT])

    assert say(job, COMMIT).json() == {"meaning": "KNOWN", "deployment": job.id, "undeclared": None}
    assert not Undeclared.objects.exists()

    Deployment.objects.filter(pk=order.pk).update(ended_at=order.ended_at - TOLD_AGAIN)
    assert say(job, COMMIT).json()["meaning"] == "UNDECLARED"


@pytest.mark.parametrize("how", ["rolled_back", "rollback_ticket"])
def test_report_of_what_was_taken_back_is_undeclared(job, how):
    tickets = job.tickets()
    job.begin(tickets["ticket"])
    if how == "rollback_ticket":
        job.report("succeeded")
        job.begin(tickets["rollback_ticket"])
        job.report("succeeded")
    else:
        job.report("rolled_back")

    assert say(job, COMMIT).json()["meaning"] == "UNDECLARED"


def test_reported_success_is_not_confirmed_by_what_fits_what_ran_before_too(job):
    before, after = ("config:" + digit * 64 for digit in "12")
    Environment.objects.filter(pk=job.target.environment_id).update(change_required="NO")
    Target.objects.filter(pk=job.target.pk).update(running_identities=[COMMIT, before], running_label="1.0")
    job.begin(job.tickets(COMMIT, after)["ticket"])
    job.report("succeeded")
    both = {"git": COMMIT.partition(":")[2], "config": after.partition(":")[2]}

    assert (see(job, COMMIT).json()["meaning"], job.order.read_back_at) == ("KNOWN", None)
    assert see(job, COMMIT, identities=both).json()["meaning"] == "KNOWN"
    assert job.order.read_back_at is not None


@pytest.mark.parametrize(
    ("sources", "told"),
    [([], "ccgate report"), ([""], ""), (["", "a"], "a and 1 more"), (["a"], "a"), (["b", "a", ""], "b and 2 more")],
)
def test_nobody_is_named_who_does_not_see_it(sources, told):
    assert Undeclared(source="ccgate report", sources=sources).told_by == told


def test_report_of_what_another_pipeline_deployed_there_is_undeclared(job):
    job.begin()
    job.report("failed")
    _, job.secret = make_gate_token(job.target.service)

    assert say(job, COMMIT).json()["meaning"] == "UNDECLARED"


def test_pages_say_whether_anything_looked(job, operator, client):
    say(job, ALIEN, source="ccgate report")
    found = Undeclared.objects.get()
    client.force_login(operator)
    one, all_of_them = reverse("deployments:undeclared_one", args=[found.pk]), reverse("deployments:undeclared")

    assert "What was reported" in client.get(one).text
    assert "reported by ccgate report" in client.get(all_of_them).text
    see(job, ALIEN, source="probe of web-1")
    assert "What was seen" in client.get(one).text
    assert "seen by probe of web-1<" in client.get(all_of_them).text
    see(job, ALIEN, source="probe of web-2")
    assert "seen by probe of web-1 and 1 more<" in client.get(all_of_them).text
    assert "probe of web-1 and 1 more<" in client.get(one).text
    see(job, RUNNING, source="probe of web-1")
    see(job, RUNNING, source="probe of web-2")  # gone: what told of it first is what is left to name
    assert "first told by ccgate report<" in client.get(f"{all_of_them}?view=all").text


def test_report_makes_no_explanation_last(job, operator):
    see(job, ALIEN, source="probe")
    say(job, ALIEN, source="ccgate report")
    found = Undeclared.objects.get()
    settle_undeclared(found.pk, outcome=Settled.EXPLAINED, reason="The probe asked the wrong host.", by=operator.actor)
    seen_at = found.last_seen_at

    assert say(job, ALIEN, source="ccgate report").json()["undeclared"]["is_explained"] is True
    found.refresh_from_db()
    assert (found.sources, found.last_seen_at, found.seen_count) == (["probe"], seen_at, 3)

    see(job, RUNNING, source="probe")
    assert see(job, ALIEN, source="probe").json()["undeclared"]["is_explained"] is False


def test_report_that_names_no_deployment_takes_no_observation_back(job):
    see(job, ALIEN, source="ccgate report")
    say(job, RUNNING, source="ccgate report")

    assert Undeclared.objects.get().settled_at is None


def test_report_of_what_began_nowhere_by_a_token_for_something_else_is_not_found(job):
    _, job.secret = make_gate_token(make_place(environment=job.target.environment).service)

    assert say(job, ALIEN).status_code == 404
    assert not Undeclared.objects.exists()


def test_observation_while_it_is_on_its_way_changes_nothing(job):
    job.begin()

    assert see(job, COMMIT).json()["meaning"] == "ON_ITS_WAY"
    assert job.order.state == "RUNNING"


def test_what_nobody_declared_is_kept_once_and_counted(job):
    first, again = see(job, ALIEN, label="hotfix", source="probe"), see(job, ALIEN)

    found = Undeclared.objects.get()
    assert (first.json()["meaning"], again.json()["undeclared"]["seen_count"]) == ("UNDECLARED", 2)
    assert (found.label, found.expected_label, found.source) == ("hotfix", "3.17.0", "probe")
    assert entries_about(found.reference, limit=9)[0].event is Event.UNDECLARED_SEEN


def test_what_is_gone_again_is_settled_by_what_is_seen(job):
    see(job, ALIEN)
    see(job, RUNNING)

    assert Undeclared.objects.get().outcome == Settled.GONE


def test_what_one_machine_runs_undeclared_is_not_taken_back_by_what_another_runs(job):
    see(job, ALIEN, source="host-b")
    see(job, RUNNING, source="host-a")
    assert Undeclared.objects.get().settled_at is None

    see(job, RUNNING, source="host-b")
    assert Undeclared.objects.get().outcome == Settled.GONE


def test_undeclared_versions_of_one_target_have_an_end(job):
    for number in range(MOST_OPEN):
        UndeclaredFactory(target=job.target, identities=[f"git:{number:040x}"])

    another, known = see(job, ALIEN), see(job, "git:" + "0" * 40)

    assert (another.status_code, code(another)) == (409, "too_many_undeclared")
    assert (known.status_code, known.json()["undeclared"]["seen_count"]) == (200, 2)
    assert Undeclared.objects.count() == MOST_OPEN


def test_adopted_is_what_runs(job, operator):
    see(job, ALIEN, label="hotfix")
    found = Undeclared.objects.get()

    settle_undeclared(found.pk, outcome=Settled.ADOPTED, reason="Ops patched it by hand.", by=operator.actor)

    job.target.refresh_from_db()
    found.refresh_from_db()
    assert (job.target.running_label, job.target.previous_label, found.outcome) == ("hotfix", "3.17.0", "ADOPTED")
    assert Arrival.objects.get(target=job.target).outcome == Outcome.ADOPTED
    assert see(job, ALIEN).json()["meaning"] == "KNOWN"


def test_explained_changes_nothing_and_is_told_once(job, operator):
    see(job, ALIEN)
    found = Undeclared.objects.get()
    settle_undeclared(found.pk, outcome=Settled.EXPLAINED, reason="The probe asked the wrong host.", by=operator.actor)

    with pytest.raises(Refused) as told:
        settle_undeclared(found.pk, outcome=Settled.ADOPTED, reason="Again.", by=operator.actor)

    job.target.refresh_from_db()
    assert (job.target.running_label, told.value.refusal.code) == ("3.17.0", "already_settled")
    assert entries_about(found.reference, limit=1)[0].event is Event.UNDECLARED_REFUSED


def test_nothing_is_adopted_under_a_deployment_or_by_somebody_else(job, operator):
    see(job, ALIEN)
    found = Undeclared.objects.get()
    job.begin()

    for by, expected in ((operator, "occupied"), (make_person(), "not_operating")):
        with pytest.raises(Refused) as told:
            settle_undeclared(found.pk, outcome=Settled.ADOPTED, reason="x", by=by.actor)
        assert told.value.refusal.code == expected


def test_observation_by_a_token_for_something_else_is_not_found(job):
    _, job.secret = make_gate_token(make_place(environment=job.target.environment).service)

    assert see(job, ALIEN).status_code == 404
    assert not Undeclared.objects.exists()


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"label": "x" * 121}, "label"),
        ({"source": 5}, "source"),
        ({"dry_run": True}, "dry_run"),
        ({"moon": 1}, "moon"),
        ({"service": ""}, "service"),
    ],
)
def test_observation_that_cannot_be_read_names_the_field(job, more, field):
    answer = see(job, ALIEN, **more)

    assert answer.status_code == 422
    assert [row["field"] for row in answer.json()["errors"]] == [field]


def test_pages_show_and_settle_what_nobody_declared(client, operator):
    found = UndeclaredFactory(target=make_place())
    client.force_login(operator)
    page = client.get(reverse("deployments:undeclared")).content.decode()
    url = reverse("deployments:undeclared_settlement", args=[found.pk])

    assert "3.19.0-hotfix" in page
    assert "What is it?" in client.get(reverse("deployments:undeclared_one", args=[found.pk])).content.decode()
    assert client.post(url, {"outcome": "GONE", "reason": "x"}).status_code == 422
    assert client.post(url, {"outcome": "ADOPTED", "reason": "a\x00b"}).status_code == 422
    assert client.post(url, {"outcome": "ADOPTED", "reason": "Ops patched it."}, follow=True).status_code == 200
    found.refresh_from_db()
    assert found.outcome == "ADOPTED"
    assert "Nothing undeclared is open" in client.get(reverse("deployments:undeclared")).content.decode()


def test_months_count_what_was_declared(operator):
    begun = PipelineFactory().deployment
    Deployment.objects.filter(pk=begun.pk).update(begun_at=NOW, turn=1)
    target = begun.target
    UndeclaredFactory(target=target)
    UndeclaredFactory(target=target, settled_at=NOW, settled_by="SYSTEM:test", outcome="EXPLAINED", reason="No.")

    (month,) = months_for(operator, now=NOW)

    assert (month.declared, month.undeclared, month.total, month.percent) == (1, 1, 2, 50)
    assert months_for(operator, now=NOW + timedelta(days=400)) == []


def test_what_is_undeclared_is_shown_page_by_page(client, operator):
    client.force_login(operator)
    target, url = make_place(), reverse("deployments:undeclared")
    for number in range(51):
        UndeclaredFactory(target=target, identities=[f"git:{number:040x}"])

    first = client.get(url)
    second = client.get(f"{url}{first.context['older_url']}")
    beyond = client.get(url, {"before": Undeclared.objects.earliest("pk").pk})

    assert (len(first.context["rows"]), first.context["newest_url"]) == (50, "")
    assert [row.pk for row in second.context["rows"]] == [Undeclared.objects.earliest("pk").pk]
    assert (second.context["older_url"], second.context["newest_url"]) == ("", "?view=open")
    assert "The list ends here" in beyond.content.decode()


@pytest.mark.parametrize("before", ["", "x", "-1", "9" * 30, "\u0661", "\x00"])
def test_an_odd_place_in_what_is_undeclared_is_no_error(client, operator, before):
    client.force_login(operator)

    assert client.get(reverse("deployments:undeclared"), {"before": before}).status_code == 200


def test_pages_name_the_pipeline_that_began_and_offer_no_button_that_ci_does_not_know(client, operator):
    client.force_login(operator)
    job = Job(name="Payments pipeline")
    order = job.begin(run={"system": "github", "id": "77", "attempt": 1, "url": "https://ci.example.org/runs/77"})
    address = reverse("deployments:deployment", args=[order.pk])

    page, listed = client.get(address).content.decode(), client.get(reverse("deployments:deployments")).content.decode()

    assert "by Payments pipeline" in page
    assert '<a href="https://ci.example.org/runs/77" rel="noreferrer">' in page
    assert "cannot be stopped from here" in page
    assert "ccgate rollback" in page
    assert "Roll back now" not in page
    assert "Payments pipeline<small>carried out by CI" in listed
    assert "somebody" not in page + listed
