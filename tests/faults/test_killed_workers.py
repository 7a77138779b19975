"""Real worker processes, killed and stopped at random moments: no order is lost, none takes effect twice, none ends in an untrue state."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from apps.catalog.models import ChangeRequired, Target
from apps.deployments.drivers.registry import register
from apps.deployments.models import Attempt, Deployment
from apps.deployments.states import FINAL, State
from tests.conftest import NOW
from tests.factories.catalog import EnvironmentFactory, make_target
from tests.factories.deployments import DeploymentFactory, a_check
from tests.faults.ledger import LedgerDriver, effects, read, shown

pytestmark = [pytest.mark.faults, pytest.mark.slow]

GOOD, BAD, ORDERS_EACH, SECONDS, MOST_KILLS = 11, 6, 5, 240, 45
LEAST_LOST = 15
FIRST = "git:" + "f" * 40
HERE = Path(__file__).resolve()


@pytest.fixture
def workers(own_database, tmp_path):
    """The keeper of the workers; its file names the living ones."""
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "changecontrol.settings",
        "DATABASE_URL": own_database.app_url,
        "VAR_DIR": str(tmp_path / "var"),
        "PYTHONPATH": str(HERE.parents[2]),
        "LOG_LEVEL": "ERROR",
    }
    with subprocess.Popen([sys.executable, str(HERE.with_name("workers.py")), str(tmp_path)], env=environment) as keeper:
        yield tmp_path
        (tmp_path / "stop").touch()
        keeper.wait(20)


def living(place: Path) -> list[int]:
    return [int(pid) for pid in (place / "pids").read_text().split()] if (place / "pids").is_file() else []


def holding() -> list[int]:
    """The processes that work on an order at this moment."""
    holders = Deployment.objects.filter(lease_expires_at__isnull=False).values_list("holder", flat=True)
    return [int(holder.rpartition(":")[2]) for holder in holders]


def make_orders(place: Path, pages: str) -> list[tuple[Path, Target]]:
    """Orders for targets that need no change; a bad version has its target alone, because a hold stands there afterwards."""
    sites = []
    for number in range(GOOD + BAD):
        root, is_bad = place / f"target-{number}", number >= GOOD
        check = a_check(url=f"{pages}/{root.name}", expect_text="{version}")
        settings = {"driver": "ledger", "options": {"root": str(root), "first": FIRST}, "checks": [check]}
        target = make_target(environment=EnvironmentFactory(change_required=ChangeRequired.NO), settings=settings)
        target.running_label, target.running_identities, target.running_since = "first", [FIRST], NOW
        target.save()
        sites.append((root, target))
        for turn in range(1 if is_bad else ORDERS_EACH):
            identity = f"git:{number:02d}{turn:02d}".ljust(44, "a")
            label = f"{'bad' if is_bad else 'good'}-{turn}"
            DeploymentFactory(target=target, settings=target.settings, label=label, identities=[identity], runs_by_itself=True)
    Deployment.objects.update(wake_at=NOW.replace(year=2020))
    return sites


def test_fifty_orders_survive_workers_that_are_killed_and_stopped_at_random(own_database, workers):
    seed = int(os.environ.get("FAULT_SEED", str(random.randrange(10**6))))
    print(f"FAULT_SEED={seed}")
    chance, killed, stopped, is_aimed = random.Random(seed), 0, [], True
    register("ledger", LedgerDriver())
    with shown(workers) as pages:
        sites = make_orders(workers, pages)

        began = time.monotonic()
        until = began + SECONDS
        while Deployment.objects.exclude(state__in=sorted(FINAL)).exists():
            assert time.monotonic() < until, Counter(Deployment.objects.values_list("state", flat=True))
            for pid, wake_at in [*stopped]:
                if time.monotonic() > wake_at:
                    signal_one(pid, signal.SIGCONT)
                    stopped.remove((pid, wake_at))
            # Whoever is at work and whoever it may be, in turn: between two steps there is little to lose.
            alive, at_work = living(workers), holding()
            pids = [pid for pid in alive if pid in at_work] if is_aimed else alive
            if pids and killed < MOST_KILLS:
                victim, is_aimed = chance.choice(pids), not is_aimed
                if chance.random() < 0.15:
                    signal_one(victim, signal.SIGSTOP)
                    stopped.append((victim, time.monotonic() + 1.5))
                else:
                    killed += signal_one(victim, signal.SIGKILL)
                time.sleep(chance.uniform(0.1, 0.4))
            time.sleep(0.01)
        for pid, _ in stopped:
            signal_one(pid, signal.SIGCONT)

    lost = Attempt.objects.filter(ended_as="LOST").count()
    print(
        f"{time.monotonic() - began:.0f} s, {killed} kills, {lost} attempts lost, states {Counter(Deployment.objects.values_list('state', flat=True))}"
    )
    assert Deployment.objects.filter(undoes__isnull=True).count() >= 50
    assert killed > 20
    assert lost >= LEAST_LOST
    for root, target in sites:
        prove_true(root, target)


def signal_one(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def prove_true(root: Path, target: Target) -> None:
    """The ledger and the books say the same: what is good succeeded, what is bad failed and was undone, each of it once."""
    happened = effects(root)
    orders = list(Deployment.objects.filter(target=target).order_by("turn"))
    asked = [order for order in orders if not order.is_way_back]
    assert len(asked) in {1, ORDERS_EACH}
    assert happened == [str(order.public_id) for order in orders], "an order took effect twice, never, or out of turn"
    for order in asked:
        is_bad = order.label.startswith("bad")
        ways_back = [other for other in orders if other.undoes_id == order.pk]
        assert order.state == (State.FAILED if is_bad else State.SUCCEEDED), f"{order.ref}: {order.failure}"
        assert [back.state for back in ways_back] == [State.SUCCEEDED] * is_bad, order.ref
        assert all(back.identities == [FIRST] for back in ways_back)
    assert not any(order.holder for order in orders)
    target.refresh_from_db()
    assert target.running_identities == [read(root)[-1]["identity"]]
    assert target.occupied_by is None
