"""How often one may ask: buckets by themselves, and at the gate's door."""

import pytest

from apps.gate import issuer_keys, rates
from apps.gate.fetching import NotFetched
from apps.gate.models import UnknownTokens
from apps.gate.rates import Buckets, place_of, whole_seconds
from tests.factories.approvals import make_place
from tests.factories.changes import COMMIT
from tests.factories.gate import ask, body_for, make_gate_token
from tests.gate.ci import github, make_issuer, make_trust, signed


class Clock:
    """Time that passes when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_bucket_is_full_at_first_and_fills_with_time(clock):
    buckets = Buckets(clock=clock)

    burst = [buckets.take("a", per_second=2) for _ in range(21)]
    clock.now += 0.5
    after = buckets.take("a", per_second=2)

    assert burst[:20] == [0.0] * 20
    assert burst[20] == 0.5
    assert after == 0.0


def test_bucket_never_holds_more_than_its_burst(clock):
    buckets = Buckets(clock=clock)
    buckets.take("a", per_second=1)
    clock.now += 1e6

    assert sum(1 for _ in range(50) if not buckets.take("a", per_second=1)) == 10


def test_one_bucket_takes_nothing_from_another(clock):
    buckets = Buckets(clock=clock)
    while not buckets.take("noisy", per_second=1):
        pass

    assert buckets.take("quiet", per_second=1) == 0.0


def test_those_unused_longest_are_forgotten_first(clock):
    buckets = Buckets(most=3, clock=clock)
    for key in ("a", "b", "c", "a", "d"):
        buckets.take(key, per_second=1)

    assert [key in buckets for key in "abcd"] == [True, False, True, True]


def test_rate_of_zero_is_no_limit(clock):
    buckets = Buckets(clock=clock)

    assert {buckets.take("a", per_second=0) for _ in range(1000)} == {0.0}


def test_addresses_of_one_ipv6_network_are_one_place():
    assert place_of("2001:db8:1:2:3::4") == place_of("2001:db8:1:2:ffff::1") != place_of("2001:db8:1:3::1")
    assert (place_of("192.0.2.7"), place_of("unix"), place_of("::ffff:192.0.2.7")) == ("192.0.2.7", "", "192.0.2.7")


def test_told_seconds_are_whole_and_never_none():
    assert [whole_seconds(wait) for wait in (0.01, 1.0, 1.2)] == [1, 1, 2]


@pytest.fixture
def target(db):
    return make_place()


def frozen(monkeypatch):
    """Buckets whose clock stands still."""
    for name in ("askers", "addresses"):
        monkeypatch.setattr(getattr(rates, name), "_clock", lambda: 100.0)


def silent(issuer):
    raise NotFetched(f"{issuer} does not answer.")


def test_noisy_token_is_told_to_wait_and_others_are_not(rated, settings, target, monkeypatch):
    frozen(monkeypatch)
    settings.GATE_RATE, body = 1, {**body_for(target, COMMIT), "dry_run": True}
    noisy, quiet = make_gate_token()[1], make_gate_token()[1]

    statuses = [ask(noisy, body).status_code for _ in range(13)]
    last = ask(noisy, body)

    assert statuses == [200] * 11 + [429] * 2  # the first one was let in as somebody unknown
    assert (last.json()["code"], last["Content-Type"]) == ("too_many_requests", "application/problem+json")
    assert 1 <= int(last["Retry-After"]) <= 4
    assert ask(quiet, body).status_code == 200


def test_unknown_tokens_are_limited_by_address_and_known_ones_pass_beside_them(rated, settings, target, monkeypatch):
    frozen(monkeypatch)
    settings.GATE_UNKNOWN_RATE, body = 1, body_for(target, COMMIT)
    known = make_gate_token()[1]
    ask(known, body)

    statuses = [ask(f"ccg_{number:040d}", body).status_code for number in range(12)]

    assert statuses == [401] * 9 + [429] * 3
    assert ask(known, body).status_code == 201
    assert ask(make_gate_token()[1], body).status_code == 429  # nobody has seen it yet


def test_jobs_of_a_trust_share_its_rate_and_forged_ones_take_nothing_from_it(rated, settings, provider, chief, target, monkeypatch):
    frozen(monkeypatch)
    settings.GATE_RATE, settings.GATE_UNKNOWN_RATE = 1, 1
    make_trust(make_issuer(provider.issuer, by=chief), target, by=chief)
    body = {**body_for(target, COMMIT), "dry_run": True}

    forged = [ask(signed(github(iss=provider.issuer, repository_id=str(number))), body).status_code for number in range(1, 13)]
    good = [ask(signed(github(iss=provider.issuer, jti=str(number))), body).status_code for number in range(11)]

    assert forged == [401] * 10 + [429] * 2
    assert good == [200] * 10 + [429]


def test_what_is_turned_away_for_its_rate_asks_the_database_nothing(rated, settings, target, monkeypatch, django_assert_num_queries):
    frozen(monkeypatch)
    settings.GATE_UNKNOWN_RATE, body = 1, body_for(target, COMMIT)
    for number in range(10):
        ask(f"ccg_{number:040d}", body)

    with django_assert_num_queries(0):
        assert ask(f"ccg_{11:040d}", body).status_code == 429
    assert UnknownTokens.objects.count() <= 1


def test_made_up_keys_of_a_silent_issuer_are_limited_by_address(rated, settings, provider, chief, target, monkeypatch):
    frozen(monkeypatch)
    settings.GATE_UNKNOWN_RATE = 1
    make_trust(make_issuer(provider.issuer, by=chief), target, by=chief)
    monkeypatch.setattr(issuer_keys, "fetch_keys", silent)

    answers = [ask(signed(github(iss=provider.issuer)), body_for(target, COMMIT)) for _ in range(12)]

    assert [one.status_code for one in answers] == [503] * 10 + [429] * 2
    assert (answers[0].json()["code"], int(answers[0]["Retry-After"]) >= 30) == ("keys_unavailable", True)
