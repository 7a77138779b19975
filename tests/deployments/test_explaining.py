"""An explanation of what runs undeclared holds while that very version runs there, and no longer."""

from datetime import timedelta

import pytest
from django.urls import reverse

from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.core.locks import database_now
from apps.deployments.models import Settled, Undeclared
from apps.deployments.observations import settle_undeclared
from apps.deployments.rules.observing import MOST_SOURCES
from tests.deployments.test_observations import ALIEN, see
from tests.factories.accounts import make_person
from tests.factories.catalog import COMMIT as RUNNING
from tests.factories.pipelines import Job


@pytest.fixture
def job(db) -> Job:
    return Job()


@pytest.fixture
def operator(db):
    return make_person(Role.OPERATOR)


def explain(job, operator, **more) -> Undeclared:
    see(job, ALIEN, **more)
    found = Undeclared.objects.get(settled_at=None)
    return settle_undeclared(found.pk, outcome=Settled.EXPLAINED, reason="A canary by hand.", by=operator.actor)


def is_asked_again(job, **more) -> bool:
    """Whether what was explained is asked about when it is seen now."""
    before, answer = Undeclared.objects.count(), see(job, ALIEN, **more)
    assert answer.json()["meaning"] == "UNDECLARED"
    assert answer.json()["undeclared"]["is_explained"] is (Undeclared.objects.count() == before)
    return Undeclared.objects.count() > before


def test_explanation_holds_as_long_as_that_version_runs_there(job, operator, client):
    found = explain(job, operator)
    client.force_login(operator)
    held = [is_asked_again(job) for _ in range(3)]
    page = client.get(reverse("deployments:undeclared_one", args=[found.pk])).content.decode()

    found.refresh_from_db()
    assert (held, found.seen_count, found.lapsed_at) == ([False] * 3, 4, None)
    assert "as long as it runs there" in page
    assert len(entries_about(found.reference, limit=9)) == 2


@pytest.mark.parametrize("other", [RUNNING, "git:" + "dd" * 20])
def test_explained_version_that_comes_again_is_asked_about_again(job, operator, client, other):
    found = explain(job, operator)
    see(job, other)

    asked = [is_asked_again(job), see(job, ALIEN).json()["undeclared"]["seen_count"]]

    found.refresh_from_db()
    client.force_login(operator)
    assert asked == [True, 2]
    assert found.lapsed_at is not None
    assert "no more since" in client.get(reverse("deployments:undeclared_one", args=[found.pk])).content.decode()


def test_explanation_of_another_version_there_explains_nothing(job, operator):
    explain(job, operator)

    other = see(job, "git:" + "dd" * 20).json()["undeclared"]

    assert (other["is_explained"], Undeclared.objects.filter(settled_at=None).count()) == (False, 1)


def test_explanation_holds_while_one_of_several_machines_runs_it(job, operator):
    found = explain(job, operator, source="a")
    held = [is_asked_again(job, source=source) for source in "bac"]
    for source in "ac":
        see(job, RUNNING, source=source)
    held.append(is_asked_again(job, source="b"))
    see(job, RUNNING, source="b")

    found.refresh_from_db()
    assert held == [False] * 4
    assert (found.sources, is_asked_again(job, source="a")) == ([], True)


def test_what_several_machines_run_undeclared_is_gone_when_none_does(job):
    for source in "ab":
        see(job, ALIEN, source=source)

    outcomes = []
    for source in "aab":
        see(job, RUNNING, source=source)
        outcomes.append(Undeclared.objects.get().outcome)

    assert outcomes == ["", "", "GONE"]


def test_sources_that_are_made_up_fill_no_row(job, operator):
    found = explain(job, operator)
    Undeclared.objects.filter(pk=found.pk).update(sources=[f"s{number}" for number in range(MOST_SOURCES)])

    assert not is_asked_again(job, source="one more")
    found.refresh_from_db()
    assert len(found.sources) == MOST_SOURCES


def test_explanation_ends_when_another_version_comes_to_the_target(job, operator):
    explain(job, operator, source="elsewhere")
    job.begin()
    on_the_way = is_asked_again(job, source="elsewhere")
    job.report("succeeded")

    assert (on_the_way, is_asked_again(job, source="elsewhere")) == (False, True)
    assert Undeclared.objects.filter(settled_at=None).count() == 1


@pytest.mark.parametrize(("days", "is_asked"), [(6.9, False), (7.1, True)])
def test_explanation_of_what_nobody_saw_for_a_week_holds_no_more(job, operator, days, is_asked):
    found = explain(job, operator)
    Undeclared.objects.filter(pk=found.pk).update(last_seen_at=database_now() - timedelta(days=days))

    assert is_asked_again(job) is is_asked


def test_explained_again_it_holds_again(job, operator):
    explain(job, operator)
    see(job, RUNNING)
    explain(job, operator)

    assert not is_asked_again(job)
    assert Undeclared.objects.filter(outcome="EXPLAINED").count() == 2


def test_what_was_adopted_after_an_explanation_is_known(job, operator):
    found = explain(job, operator)
    see(job, RUNNING)
    see(job, ALIEN)
    settle_undeclared(Undeclared.objects.get(settled_at=None).pk, outcome=Settled.ADOPTED, reason="It stays.", by=operator.actor)

    assert see(job, ALIEN).json()["meaning"] == "KNOWN"
    found.refresh_from_db()
    assert found.lapsed_at is not None
