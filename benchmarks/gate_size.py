"""What an answer of the gate costs in a house of a million changes against the same answer in one of a thousand, in the same rounds.

`make bench ARGS="gate_size 7"`; GATE_AT_MOST=100000 in the environment tries with less. Filling takes most of the time."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import psycopg
from django.db import connection

from apps.gate import wire
from apps.gate.evaluate import answer
from apps.gate.gather import gather
from apps.gate.inputs import read_bearer, read_body, read_question
from apps.gate.rules import Question
from benchmarks.figures import Goal, interleave, ratio
from benchmarks.gate import questions
from benchmarks.pages import look_at
from changecontrol.embedded.cluster import OWNER
from changecontrol.embedded.postgres import PrivatePostgres
from tests.gate.bulk import analyse, fill

FEW, ASKED, WARM = 1_000, 140, 21
EVALUATIONS, RULES = 10, 0.005  # per change: ten answers; five freezes and windows for a thousand

# In the months that there are partitions for.
ANSWERED = """with made as (
  insert into gate_evaluation (id, at, token_id, key, question, target_id)
  select gen_random_uuid(), date_trunc('month', now()) + i %% 80 * interval '1 day' + i * interval '1 millisecond', 1, '',
         convert_to(repeat('q', 200), 'UTF8'), i %% 300 from generate_series(1, %(count)s) i
  returning id, at)
insert into gate_verdict (evaluation_id, at, verdict, is_final, codes, record, judge)
select id, at, 'DENY', false, '{no_change}', convert_to(repeat('r', 200), 'UTF8'), 1 from made"""
AT_ONCE = 500_000
BACKEND = wire.Statement("bench_backend", "select pg_backend_pid()", ())


def rows(server: PrivatePostgres, *, database_name: str, rounds: int) -> Iterator[str]:
    """Two lines: the whole answer, and what is gathered for it."""
    many = int(os.environ.get("GATE_AT_MOST", "1000000"))
    towns = {size: f"{database_name}_gate_{size}" for size in (FEW, many)}
    connection.close()
    for name in towns.values():
        server.clone(name, template=database_name)
    asked = {size: settled(server, name, changes=size) for size, name in towns.items()}
    acts: dict[str, Callable[[Question], object]] = {"answer": answer, "gather": gather}
    for told, act in acts.items():

        def measured(size: int, act: Callable[[Question], object] = act) -> float:
            look_at(server, towns[size])
            return cost(act, asked[size])

        for size in towns:
            measured(size)
        found = interleave({str(size): lambda size=size: measured(size) for size in towns}, rounds=rounds)  # type: ignore[misc]
        said = f"gate, {told}: processor time at {many} changes / at {FEW}"
        yield Goal(said, 1.15, 1.05, more_is_better=False).row(ratio(found[str(many)], found[str(FEW)]))
    wire.close()
    look_at(server, database_name)


def settled(server: PrivatePostgres, name: str, *, changes: int) -> list[Question]:
    """A house with this many changes and ten answers for each, and seven questions to it."""
    look_at(server, name)
    with closing(psycopg.connect(server.url(role=OWNER, database=name), autocommit=True)) as there:
        questions()  # a house is there before it grows: the bulk leans on its environment
        fill(there, changes=changes, services=max(changes // 700, 60), rules=int(changes * RULES))
        for begun in range(0, changes * EVALUATIONS, AT_ONCE):
            there.execute(ANSWERED % {"count": min(AT_ONCE, changes * EVALUATIONS - begun)})
        analyse(there)
        there.execute("vacuum analyze gate_evaluation, gate_verdict")
    return [asked_in(raw) for raw in questions()]


def asked_in(raw: bytes) -> Question:
    """The question in the bytes of a request."""
    head, _, body = raw.partition(b"\r\n\r\n")
    bearer = next(line.partition(b": ")[2] for line in head.split(b"\r\n") if line.startswith(b"Authorization"))
    credential = read_bearer(bearer.decode())
    if credential is None:
        raise RuntimeError("the question carries no token")
    return read_question(read_body(body), credential=credential)[0]


def cost(act: Callable[[Question], object], asked: Sequence[Question]) -> float:
    """Processor seconds of one answer, ours and the database's, after a few that plan and fill the caches.

    Processor time, not time on the clock: another thing that runs on the machine stretches the one far less than the other."""
    for number in range(WARM):
        act(asked[number % len(asked)])
    ((pid,),) = wire.read(BACKEND, ())
    began, ran = time.thread_time(), has_run(int(pid or 0))
    for number in range(ASKED):
        act(asked[number % len(asked)])
    return (time.thread_time() - began + has_run(int(pid or 0)) - ran) / ASKED


def has_run(pid: int) -> float:
    """Seconds this process was on a processor, to the nanosecond."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
