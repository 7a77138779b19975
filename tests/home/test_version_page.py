"""The version in the request form: resolved once, with what it brings; a person sees it for the services they may see."""

import re

import pytest

from apps.accounts.identities import IdentityKind
from apps.accounts.roles import Role
from apps.catalog.repositories.mirrors import NotYet
from apps.catalog.repositories.passage import Hand, as_body
from apps.changes.actions import keep_reading
from apps.changes.content import Aspect
from apps.changes.readings import ways_of
from apps.changes.states import State
from apps.core.refusals import BadContent
from apps.home.facts import version as version_facts
from apps.home.facts.version import commit_of, derived_aspects, stored_passages, version_shown
from tests.catalog.repository import ADA, BEN, Repository, make_repository
from tests.factories.accounts import IdentityFactory, PersonFactory, TeamFactory, make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.catalog import EnvironmentFactory, TargetFactory
from tests.factories.evidence import make_passage
from tests.home.pages import HOSTILE, get, marks_of, nothing_written, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def repository(tmp_path) -> Repository:
    return make_repository(tmp_path / "shop")


@pytest.fixture
def target(repository):
    """A service whose repository is there, with something running."""
    found = make_place()
    found.service.repository = str(repository.root)
    found.service.save()
    found.running_label, found.running_identities = "1.0", [f"git:{repository.commit('one')}"]
    found.save()
    return found


def ask(client, target, commit: str, **more):
    return get(client, make_person(Role.REQUESTER), "home:version", service=target.service.slug, commit=commit, **more)


def test_version_shows_what_a_branch_means_and_what_it_brings(client, repository, target):
    IdentityFactory(person=PersonFactory(name="Ada here"), kind=IdentityKind.GIT_AUTHOR, value="ada@example.org")
    repository.commit("Sell umbrellas", {"shop/cart.py": "1", "shop/migrations/0002_umbrellas.py": "1"})
    head = repository.commit("Configure rain", {"etc/rain.conf": "1"}, author=BEN)

    ask(client, target, "main")
    with nothing_written():
        page = client.get("/changes/new/version/", {"service": target.service.slug, "commit": "main"})

    text = text_of(page)
    assert f"The branch main is the commit {head}" in text
    assert "2 commits, 3 files" in text
    assert "Ada here" in text
    assert "Ben unknown here" in text
    assert f'name="commit_seen" value="{head}"' in page.content.decode()
    assert 'data-aspects="CODE CONFIGURATION DATA"' in page.content.decode()
    assert f'data-label="main at {head[:8]}"' in page.content.decode()
    assert f"{target.service.name} in {target.environment.name} (1.0 runs)" in text


def test_version_reads_the_fields_of_its_row_and_answers_with_them(client, repository, target):
    head = repository.commit("two")

    page = get(
        client,
        make_person(Role.REQUESTER),
        "home:version",
        row="items-3",
        **{"items-3-service": target.service.slug, "items-3-commit": "main", "commit": "nothing", "items-0-commit": "nothing"},
    )

    assert f'name="items-3-commit_seen" value="{head}"' in page.content.decode()


@pytest.mark.parametrize("row", ["items-", "items-9999", '"><script>', "plan-0", "\x00"])
def test_version_takes_no_other_prefix(client, target, row):
    page = get(client, make_person(), "home:version", row=row, service=target.service.slug, commit="main")

    assert page.status_code == 200
    assert 'name="commit_asked"' in page.content.decode()


def test_version_is_a_fragment_for_the_form(client, target):
    client.force_login(PersonFactory())
    page = client.get("/changes/new/version/", {"service": target.service.slug, "commit": "main"}, headers={"HX-Request": "true"})

    assert page.status_code == 200
    assert b"<html" not in page.content
    assert client.get("/changes/new/version/", headers={"HX-Request": "true"}).content.strip() == b""


def test_version_of_what_runs_or_of_less_says_so(client, repository, target):
    ahead = repository.commit("two")
    target.running_identities = [f"git:{ahead}"]
    target.save()

    assert "1 commit that runs there now is not in it and would be lost" in text_of(ask(client, target, first(repository)))
    assert "0 commits, 0 files" in text_of(ask(client, target, "main"))


def first(repository: Repository) -> str:
    return repository.git("rev-list", "--max-parents=0", "main")


def test_version_begins_at_what_runs_where_it_shall_go(client, repository, target):
    old, rung = repository.commit("two"), EnvironmentFactory(rank=1)
    TargetFactory(service=target.service, environment=rung, running_identities=[f"git:{old}"])
    repository.commit("three")

    both = text_of(ask(client, target, "main", environments=[rung.slug, target.environment.slug]))
    assert "1 commit," in both
    assert "2 commits," in both
    assert "1 commit," in text_of(ask(client, target, "main", environments=rung.slug))
    assert "2 commits," in text_of(ask(client, target, "main", environments=target.environment.slug))


def test_version_of_a_first_deployment_lists_everything(client, repository, target):
    target.running_identities = []
    target.save()
    repository.commit("two")

    assert "Nothing runs there yet: these are all its commits." in text_of(ask(client, target, "main"))


def test_version_from_something_unknown_says_so(client, target):
    target.running_identities = ["git:" + "cd" * 20]
    target.save()

    assert "What runs there is not in the repository" in text_of(ask(client, target, "main"))


def test_version_after_something_without_a_commit_says_so(client, target):
    target.running_identities = ["sha256:" + "cd" * 32]
    target.save()

    assert "What runs there names no commit" in text_of(ask(client, target, "main"))


@pytest.mark.parametrize(
    ("commit", "said"),
    [
        ("gone", "knows no branch, tag or commit called gone"),
        ("main~1", "This is no name of a commit"),
        ("--all", "This is no name of a commit"),
        ("ab" * 20, "is not in the repository"),
    ],
)
def test_version_that_is_none_says_why(client, target, commit, said):
    page = ask(client, target, commit)

    assert said in text_of(page)
    assert "commit_seen" not in page.content.decode()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_version_with_hostile_words_is_no_version(client, target, text):
    page = ask(client, target, text)

    assert page.status_code == 200
    assert b"<script>alert" not in page.content
    assert "commit_seen" not in page.content.decode()


def test_version_of_a_service_without_a_repository(client):
    target = make_place()

    assert "The service names no repository" in text_of(ask(client, target, "main"))
    assert "names no repository" not in text_of(ask(client, target, "ab" * 20))


def test_version_of_a_service_one_may_not_see_is_not_there(client, target):
    target.service.is_restricted, target.service.team = True, TeamFactory()
    target.service.save()

    assert ask(client, target, "main").status_code == 404
    assert get(client, PersonFactory(), "home:version", service="nothing", commit="main").status_code == 404


def test_version_asks_again_while_the_repository_is_fetched(client, target, monkeypatch):
    def slow(repository: str) -> str:
        raise NotYet("The repository is being fetched.")

    monkeypatch.setattr(version_facts, "open_repository", slow)
    page = ask(client, target, "main")

    assert "The repository is being fetched" in text_of(page)
    assert 'hx-trigger="load delay:3s"' in page.content.decode()


def test_version_shows_hostile_words_of_commits_marked(client, repository, target):
    subject, author = "pay\u202etxt <script>alert(1)</script>", ("<b>Eve\u2066", "eve@example.org")
    repository.commit(subject, {"x\u202egpj.py": "1"}, author=author)

    page = ask(client, target, "main")

    assert b"<script>alert" not in page.content
    assert b"\xe2\x80\xae" not in re.sub(rb'title="[^"]*"', b"", page.content)
    assert marks_of(page).count("U+202E") >= 2
    assert "U+2066" in marks_of(page)


def test_commit_of_is_what_its_sender_was_shown(repository, target):
    seen = repository.commit("two")
    sent = {"commit_asked": "main", "commit_seen": seen}
    later = repository.commit("three")

    assert commit_of(target.service, "main", sent=sent) == seen
    assert commit_of(target.service, " main ", sent={}) == later
    assert commit_of(target.service, "main", sent=sent | {"commit_asked": "other"}) == later
    assert commit_of(target.service, "main", sent=sent | {"commit_seen": "forged"}) == later
    assert commit_of(target.service, later.upper(), sent=sent) == later
    assert commit_of(target.service, "", sent=sent) == ""
    with pytest.raises(BadContent) as error:
        commit_of(target.service, "gone", sent={})
    assert set(error.value.errors) == {"commit"}


def test_derived_aspects_are_none_where_nobody_can_tell(repository, target):
    head = repository.commit("two", {"main.tf": "1"})

    assert derived_aspects(target.service, head) == {Aspect.INFRASTRUCTURE}
    assert derived_aspects(make_place().service, head) == frozenset()


def test_stored_passages_come_from_what_was_read(django_assert_num_queries):
    change = make_change(State.IN_REVIEW)
    (shown,) = stored_passages(change)
    assert "names no repository" in shown.note
    way = ways_of(change)[0].way
    keep_reading(way=way, body=as_body(make_passage(way.base, way.commit, *hands())))

    with django_assert_num_queries(3):
        (shown,) = stored_passages(change)

    assert (shown.count, shown.file_count, len(shown.unknown)) == ("2 commits", "1 file", 2)


def hands():
    return Hand(*ADA), Hand(*BEN)


def test_nothing_asked_is_nothing_shown():
    assert version_shown(make_person(), slug="", asked="main") is None
