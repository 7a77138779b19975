"""Lists of gate tokens and of trusts: every one of them is on some page, once, in the order the page says."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.roles import Role
from apps.gate.models import GateToken, Trust
from apps.home.facts import credentials
from tests.factories.accounts import make_person, prove_lately
from tests.factories.gate import GateTokenFactory, IssuerFactory, TrustFactory

pytestmark = pytest.mark.django_db
TOKENS, TRUSTS = "/gate/identity/", "/gate/identity/trusts/"


@pytest.fixture
def reader(client):
    prove_lately(client, make_person(Role.ADMINISTRATOR))
    return client


def make_token(name, *, days, **more):
    now = timezone.now()
    return GateTokenFactory(name=name, issued_at=now - timedelta(days=90), expires_at=now + timedelta(days=days), **more)


def make_trust(name, *, days, issuer, waits=False, **more):
    return TrustFactory(grant=make_token(name, days=days, **more), issuer=issuer, in_force_at=None if waits else timezone.now())


def walk(reader, url, *, view="live", between=lambda: None):
    """The names on every page of a list, by following its links; and what the first page says is before it."""
    pages, at = [], f"?view={view}"
    while at:
        page = reader.get(f"{url}{at}")
        pages.append([(row.get("token") or row["trust"].grant).name for row in page.context["rows"]])
        assert page.context["newest_url"] == (f"?view={view}" if len(pages) > 1 else "")
        at = page.context["older_url"]
        between()
    return pages


def test_every_token_in_use_is_on_one_page_and_what_ends_next_comes_first(reader, monkeypatch):
    monkeypatch.setattr(credentials, "PAGE", 3)
    for number in range(8):
        make_token(f"t{number}", days=10 + number // 2)  # two and two end together
    moment = GateToken.objects.get(name="t0").expires_at
    GateToken.objects.filter(name__in=("t0", "t1", "t2", "t3", "t4")).update(expires_at=moment)
    make_token("over", days=-1)

    assert walk(reader, TOKENS) == [["t0", "t1", "t2"], ["t3", "t4", "t5"], ["t6", "t7"]]


def test_tokens_that_are_over_are_paged_the_newest_first(reader, monkeypatch):
    monkeypatch.setattr(credentials, "PAGE", 2)
    for number in range(5):
        make_token(f"t{number}", days=-1)
    make_token("live", days=1)

    assert walk(reader, TOKENS, view="over") == [["t4", "t3"], ["t2", "t1"], ["t0"]]


def test_every_trust_is_on_one_page_what_waits_first(reader, monkeypatch):
    monkeypatch.setattr(credentials, "PAGE", 2)
    issuer = IssuerFactory()
    for number in range(4):
        make_trust(f"h{number}", days=20 + number, issuer=issuer)
    for number in range(3):
        make_trust(f"w{number}", days=40 - number, issuer=issuer, waits=True)
    for number in range(3):
        make_trust(f"o{number}", days=-1, issuer=issuer)
    make_trust("ended", days=5, issuer=issuer, revoked_at=timezone.now(), revoked_by="SYSTEM:test")

    assert walk(reader, TRUSTS) == [["w2", "w1"], ["w0", "h0"], ["h1", "h2"], ["h3"]]
    assert walk(reader, TRUSTS, view="over") == [["ended", "o2"], ["o1", "o0"]]


def test_what_changes_between_two_pages_hides_nothing_else(reader, monkeypatch):
    monkeypatch.setattr(credentials, "PAGE", 2)
    issuer = IssuerFactory()
    for number in range(6):
        make_trust(f"h{number}", days=20 + number, issuer=issuer)

    def end_the_last_shown():
        grant = Trust.objects.get(grant__name="h1").grant
        grant.revoked_at, grant.revoked_by, grant.expires_at = timezone.now(), "SYSTEM:test", timezone.now() + timedelta(days=400)
        grant.save()

    assert walk(reader, TRUSTS, between=end_the_last_shown) == [["h0", "h1"], ["h2", "h3"], ["h4", "h5"]]


@pytest.mark.parametrize("url", [TOKENS, TRUSTS])
def test_list_costs_the_same_however_many_stand_on_it(reader, url, django_assert_max_num_queries):
    issuer = IssuerFactory()
    for number in range(60):
        make_trust(f"h{number}", days=20, issuer=issuer)
        make_token(f"t{number}", days=20)
    with django_assert_max_num_queries(20):
        page = reader.get(url)

    assert len(page.context["rows"]) == credentials.PAGE
    assert "What ends later" in page.content.decode()


@pytest.mark.parametrize("url", [TOKENS, TRUSTS])
@pytest.mark.parametrize(
    "at", ["x", "1.2", "1.2.3.4", "2.1.1", f"1.{'9' * 18}.1", f"1.1.{'9' * 19}", "1.\u0661.1", "1.1.-1", "\x00", "0.0.0"]
)
def test_odd_place_in_a_list_is_no_error(reader, url, at):
    make_trust("h", days=20, issuer=IssuerFactory())

    assert [reader.get(url, {"view": view, name: at}).status_code for view, name in (("live", "after"), ("over", "before"))] == [200, 200]


@pytest.mark.parametrize("url", [TOKENS, TRUSTS])
def test_beyond_the_end_it_says_so(reader, url):
    page = reader.get(url, {"view": "live", "after": f"1.{'9' * 17}.1"})

    assert "The list ends here" in page.content.decode()
    assert page.context["newest_url"] == "?view=live"
