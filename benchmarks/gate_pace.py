"""How even the gate's answers are: at 40 % of what it can do, and for others while one token asks ten times as much as it may."""

from collections.abc import Iterator

from benchmarks.durable_row import make_table
from benchmarks.figures import Goal, compared, interleave, ratio
from benchmarks.gate import CONNECTIONS, YES_OF_SEVEN, get, post, questions, serving
from benchmarks.load import Came, Stream, load, paced
from changecontrol.embedded.postgres import PrivatePostgres
from tests.factories.approvals import make_place
from tests.factories.changes import COMMIT, OTHER_COMMIT
from tests.factories.gate import body_for, make_gate_token

LOAD, SECONDS, CALIBRATED = 0.4, 8.0, 2.0
QUIET_ASKERS, QUIET_RATE = 8, 5.0  # each of eight tokens, a second
ALLOWED, TIMES = 50, 10  # GATE_RATE, per process; and how often as much the loud one asks
P50, P99 = 0.5, 0.99


def rows(server: PrivatePostgres, *, database_name: str, rounds: int) -> Iterator[str]:
    """One line per figure."""
    make_table(server, database_name=database_name)
    yield from at_a_share(rounds)
    yield from beside_a_loud_one(rounds)


def at_a_share(rounds: int) -> Iterator[str]:
    """p99 over p50 where requests come by the clock, at 40 % of the gate's rate in this very round; and of one durable row at the
    same pace, which tells what of it is the disk's."""
    asked, row = questions(), [get("/durable")]
    for threads in (1, 4):
        with serving(threads) as (port, web):
            load(port, asked, connections=CONNECTIONS, seconds=CALIBRATED, watched=[web])
            found, beside = [], []
            for _ in range(rounds):
                most = load(port, asked, connections=CONNECTIONS, seconds=CALIBRATED, watched=[web]).rate
                for requests, ratios in ((asked, found), (row, beside)):
                    (came,) = paced(port, [Stream(requests, LOAD * most, CONNECTIONS)], seconds=SECONDS)
                    ratios.append(came.quantile(P99) / came.quantile(P50))
        said = f"{threads} thread{'s' if threads > 1 else ''}"
        yield Goal(f"gate, p99 / p50 at 40 % load, {said}", 5, 3.5, more_is_better=False).row(found)
        yield compared(f"one durable row at that pace, {said}", beside)


def beside_a_loud_one(rounds: int) -> Iterator[str]:
    """The p99 of eight quiet tokens while a ninth asks ten times as much as it may, over their p99 without it."""
    quiet = Stream([one for _ in range(QUIET_ASKERS) for one in asked_by_one()], QUIET_ASKERS * QUIET_RATE)
    loud = Stream(asked_by_one(), ALLOWED * TIMES, is_refused_too=True)
    with serving(4, GATE_RATE=str(ALLOWED)) as (port, _):
        paced(port, [quiet, loud], seconds=SECONDS)  # the loud one's bucket is empty from here on

        def p99(*streams: Stream) -> float:
            came = paced(port, streams, seconds=SECONDS)
            seen_refused(came)
            return came[0].quantile(P99)

        found = interleave({"alone": lambda: p99(quiet), "beside": lambda: p99(quiet, loud)}, rounds=rounds)
    goal = Goal("gate, p99 of quiet tokens, beside one at 10x / alone", 2, 1.25, more_is_better=False)
    yield goal.row(ratio(found["beside"], found["alone"]))


def seen_refused(came: list[Came]) -> None:
    """Without refusals the loud one was not loud, and the figure says nothing."""
    if any(not one.refused for one in came[1:]):
        raise RuntimeError("the loud token was never refused")


def asked_by_one() -> list[bytes]:
    """Questions of a token of its own, about a service of its own."""
    target = make_place()
    _, secret = make_gate_token(target.service)
    return [post(secret, body_for(target, COMMIT if number < YES_OF_SEVEN else OTHER_COMMIT)) for number in range(7)]
