"""A program of its own: keeps some real worker processes alive, each doing what beat and a worker do, until it is told to stop.

It loads everything once and forks, so that a killed worker is replaced within milliseconds."""

import os
import random
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path

COUNT, LEASE_SECONDS, PAUSE = 3, 1.0, 0.01


def work() -> None:
    """Sweep and step for ever."""
    from apps.deployments.beat import due_ids, expired_ids
    from apps.deployments.lease import note_lost
    from apps.deployments.runner import run_step

    random.seed(os.getpid())
    while True:
        for lost in expired_ids():
            note_lost(lost)
        for due in random.sample(found := due_ids(), len(found)):
            run_step(due)
        time.sleep(PAUSE)


def spawn() -> int:
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        work()
        os._exit(1)
    return pid


def main(place: Path) -> None:
    import django

    django.setup()
    from apps.deployments import lease
    from apps.deployments.drivers.registry import register
    from changecontrol.celery import app
    from tests.faults.ledger import LedgerDriver

    app.conf.update(broker_url="memory://")  # no broker at all: the row is the order

    register("ledger", LedgerDriver())
    lease.LEASE = timedelta(seconds=LEASE_SECONDS)
    pids = {spawn() for _ in range(COUNT)}
    while not (place / "stop").exists():
        (place / "pids.new").write_text(" ".join(map(str, pids)))
        (place / "pids.new").replace(place / "pids")
        gone, _ = os.waitpid(-1, os.WNOHANG)
        if gone:
            pids = pids - {gone} | {spawn()}
        time.sleep(PAUSE)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
