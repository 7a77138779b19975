"""Small real children under a keeper: order, restarts, signals, second keepers, and keepers that were killed."""

import io
import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from changecontrol.embedded import children, processes
from changecontrol.embedded.account import EmbeddedError
from changecontrol.embedded.children import Program, how_it_ended
from changecontrol.embedded.keeper import MARK, Interrupted, Keeper
from changecontrol.embedded.postgres import PrivatePostgres
from changecontrol.embedded.valkey import PrivateValkey
from tests.embedded.conftest import Script, on_linux, rows, running, until

pytestmark = pytest.mark.faults

# A child that says when it runs and when it was asked to end; the argument makes it findable in the process list.
STEADY = 'trap "echo told to end; exit 0" TERM; echo runs; while :; do sleep 600 & wait $!; done'
STUBBORN = 'trap "" TERM; echo runs; while :; do sleep 600; done'
KEEPER = """
import json, pathlib, sys
from changecontrol.embedded.account import EmbeddedError
from changecontrol.embedded.children import Program
from changecontrol.embedded.keeper import Interrupted, Keeper
var, table = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
programs = [Program(name=name, argv=("/bin/sh", "-c", code, str(var))) for name, code in table]
try:
    with Keeper(var, programs=programs) as keeper:
        print("all started", flush=True)
        keeper.wait()
except EmbeddedError as error:
    print(error, flush=True)
    sys.exit(1)
print("all stopped", flush=True)
"""

Begin = Callable[..., Script]


def begin_keeper(script: Begin, var: Path, **table: str) -> Script:
    return script(KEEPER, str(var), json.dumps(list(table.items())))


def shell(code: str, var: Path, name: str = "web") -> Program:
    return Program(name=name, argv=("/bin/sh", "-c", code, str(var)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_all_in_reverse_order_and_leaves_no_process(script: Begin, tmp_path: Path, number: signal.Signals) -> None:
    var = tmp_path / "var"
    keeper = begin_keeper(script, var, web=STEADY, worker=STEADY, beat=STEADY)
    for name in ("web     ", "worker  ", "beat    "):
        keeper.until_said(f"{name} | runs")
    keeper.until_said("all started")
    keeper.signal(number)

    assert keeper.end() == 0
    told = [line.split()[0] for line in keeper.said.splitlines() if "told to end" in line]
    assert told == ["beat", "worker", "web"]
    assert keeper.said.endswith("all stopped\n")
    assert running(str(var)) == []
    assert list((var / "run").glob("*.pid")) == []


def test_signal_while_starting_is_heeded_and_leaves_no_process(script: Begin, tmp_path: Path) -> None:
    var = tmp_path / "var"
    code = KEEPER.replace("Keeper(var, programs=programs)", "Slow(var, programs=programs)").replace(
        "var, table =",
        "class Slow(Keeper):\n"
        "    def start(self):\n"
        "        super().start()\n"
        "        self.run_to_end(Program(name='migrate', argv=('/bin/sh', '-c', 'echo migrating; exec sleep 600', str(self.var))))\n"
        "var, table =",
    )
    keeper = script(code.replace("except EmbeddedError as error", "except Interrupted as error"), str(var), json.dumps([("web", STEADY)]))
    keeper.until_said("migrating")
    keeper.signal(signal.SIGTERM)

    assert keeper.end() == 1
    assert "all started" not in keeper.said
    assert running(str(var)) == []


def test_child_that_ignores_the_polite_signal_is_killed(tmp_path: Path) -> None:
    program = Program(
        name="web", argv=("/bin/sh", "-c", STUBBORN, str(tmp_path)), stop_signals=((signal.SIGTERM, 0.2), (signal.SIGKILL, 5.0))
    )
    stream = io.StringIO()
    with Keeper(tmp_path / "var", programs=[program], stream=stream):
        until(lambda: "runs" in stream.getvalue(), what="the child")

    assert running(str(tmp_path)) == []


def test_dead_child_is_started_again_later_and_later_and_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(children, "LAST_DELAY", 0.04)
    stream = io.StringIO()
    with Keeper(tmp_path / "var", programs=[shell("exit 3", tmp_path)], stream=stream):
        until(lambda: stream.getvalue().count("starts again") >= 5, what="five restarts")

    delays = re.findall(r"up       \| web ended with code 3; it starts again in (\S+) s", stream.getvalue())
    assert delays[:5] == ["0.01", "0.02", "0.04", "0.04", "0.04"]


def test_child_that_was_well_for_long_starts_again_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(children, "WELL_AFTER", 0.0)
    stream = io.StringIO()
    with Keeper(tmp_path / "var", programs=[shell("exit 0", tmp_path)], stream=stream):
        until(lambda: stream.getvalue().count("starts again") >= 4, what="four restarts")

    assert set(re.findall(r"starts again in (\S+) s", stream.getvalue())) == {"0.01"}


def test_killed_child_takes_its_own_children_with_it_and_is_said_by_signal(tmp_path: Path) -> None:
    stream = io.StringIO()
    with Keeper(tmp_path / "var", programs=[shell(STEADY, tmp_path)], stream=stream) as keeper:
        until(lambda: "runs" in stream.getvalue(), what="the child")
        leader = processes.recall(keeper.run / "web.pid")
        assert leader is not None
        until(lambda: len(processes.group_members(leader, mark=b"")) > 1, what="the sleep of the child")
        grandchildren = [one for one in processes.group_members(leader, mark=b"") if one.pid != leader.pid]
        os.kill(leader.pid, signal.SIGKILL)

        until(lambda: stream.getvalue().count("runs") == 2, what="the second start")
        assert "web was ended by SIGKILL; it starts again in 0.5 s" in stream.getvalue()
        assert not any(one.is_alive for one in grandchildren)


def test_program_that_cannot_be_started_stops_what_was_started(tmp_path: Path) -> None:
    stream = io.StringIO()
    programs = [shell(STEADY, tmp_path), Program(name="worker", argv=("/no/such/program",))]

    with pytest.raises(FileNotFoundError), Keeper(tmp_path / "var", programs=programs, stream=stream):
        pass

    assert running(str(tmp_path)) == []
    with Keeper(tmp_path / "var", stream=stream):  # and the directory is free
        pass


def test_program_that_vanished_is_tried_again_and_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(children, "LAST_DELAY", 0.02)
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\nrm "$0"\n')
    program.chmod(0o755)
    stream = io.StringIO()
    with Keeper(tmp_path / "var", programs=[Program(name="web", argv=(str(program),))], stream=stream) as keeper:
        until(lambda: stream.getvalue().count("web does not start: [Errno 2]") >= 2, what="two vain tries")
        program.write_text("#!/bin/sh\necho back\nexec sleep 600\n")
        program.chmod(0o755)

        until(lambda: "web      | back" in stream.getvalue(), what="the program back")
        assert keeper.children[0].starts == 2


def test_one_shot_program_ends_early_when_the_end_is_asked_for(tmp_path: Path) -> None:
    stream = io.StringIO()
    with Keeper(tmp_path / "var", stream=stream) as keeper:
        stopper = threading.Thread(target=lambda: (until(lambda: "runs" in stream.getvalue(), what="it"), keeper.request_stop()))
        stopper.start()

        with pytest.raises(Interrupted):
            keeper.run_to_end(shell("sleep 601 & " + STEADY, tmp_path, name="migrate"))
        stopper.join()
    assert running("sleep 601") == []
    assert "told to end" in stream.getvalue()


def test_second_keeper_of_a_directory_is_refused_naming_the_first(script: Begin, tmp_path: Path) -> None:
    var = tmp_path / "var"
    first = begin_keeper(script, var, web=STEADY)
    first.until_said("all started")

    second = begin_keeper(script, var, web=STEADY)

    assert second.end() == 1
    assert f"{var} is in use: process {first.process.pid} runs the system there." in second.said
    assert first.process.poll() is None
    assert len([line for line in running(f"{var}") if "echo runs" in line and "python" not in line]) == 1


def test_lock_outlives_nobody_even_with_children_left(script: Begin, tmp_path: Path) -> None:
    var = tmp_path / "var"
    first = begin_keeper(script, var, web=STEADY, beat=STUBBORN)
    first.until_said("runs", times=2)
    first.signal(signal.SIGKILL)
    first.end()
    left = [recalled for name in ("web", "beat") if (recalled := processes.recall(var / "run" / f"{name}.pid"))]
    assert [one.is_alive for one in left] == [True, True]

    children_seconds = (
        "import changecontrol.embedded.keeper as k, signal\nk.LEFT_OVER_SIGNALS = ((signal.SIGTERM, 0.2), (signal.SIGKILL, 5.0))\n"
    )
    second = script(children_seconds + KEEPER, str(var), json.dumps([("web", STEADY)]))
    second.until_said("web      | runs")

    assert "web is left from a run that was killed; ending it" in second.said
    assert not any(one.is_alive for one in left)
    second.signal(signal.SIGINT)
    assert second.end() == 0
    assert running(str(var)) == []


@on_linux
def test_workers_of_a_killed_leader_are_found_by_their_mark(script: Begin, tmp_path: Path) -> None:
    var = tmp_path / "var"
    first = begin_keeper(script, var, web=STEADY)
    first.until_said("runs")
    leader = processes.recall(var / "run" / "web.pid")
    assert leader is not None
    until(lambda: len(processes.group_members(leader, mark=b"")) > 1, what="the worker")
    first.signal(signal.SIGKILL)
    first.end()
    os.kill(leader.pid, signal.SIGKILL)
    until(lambda: not leader.is_alive, what="the leader gone")
    members = processes.group_members(leader, mark=f"{MARK}={var}".encode())
    assert len(members) == 1
    assert processes.group_members(leader, mark=b"another=mark") == []

    with Keeper(var, stream=io.StringIO()):
        assert not members[0].is_alive


def test_record_whose_process_id_went_to_a_stranger_harms_nobody(tmp_path: Path) -> None:
    var = tmp_path / "var"
    (var / "run").mkdir(parents=True)
    stranger = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        (var / "run" / "web.pid").write_text(f"{stranger.pid}\nanother boot 1\n")
        (var / "run" / "torn.pid").write_text("12")

        with Keeper(var, stream=io.StringIO()):
            assert stranger.poll() is None
        assert list((var / "run").iterdir()) == []
    finally:
        stranger.kill()
        stranger.wait()


def engine(server: PrivatePostgres | PrivateValkey) -> Program:
    return Program(name=server.name, engine=server, stop_signals=server.stop_signals)


def test_engines_are_ready_when_the_block_begins_and_come_back_after_a_kill(short: Path) -> None:
    stream = io.StringIO()
    postgres, valkey = PrivatePostgres(short / "postgres", durable=False), PrivateValkey(short / "valkey")
    with Keeper(short, programs=[engine(postgres), engine(valkey)], stream=stream) as keeper:
        postgres.provision()
        assert valkey.is_ready()
        os.kill(keeper.children[0].pid or 0, signal.SIGKILL)

        until(lambda: keeper.children[0].starts == 2 and postgres.is_ready(), what="PostgreSQL again")
        assert rows(postgres.url(), "SELECT 1") == [(1,)]
        assert "postgres was ended by SIGKILL; it starts again in 0.5 s" in stream.getvalue()

    stops = re.findall(r"stopping (\w+)", stream.getvalue())
    assert stops == ["valkey", "postgres"]
    assert running(str(short)) == []


def test_engine_that_dies_before_it_is_ready_is_an_error_with_its_words_shown(short: Path) -> None:
    stream = io.StringIO()
    with PrivatePostgres(short / "postgres", durable=False) as postgres:
        conf = postgres.place.data / "postgresql.conf"
    conf.write_text("shared_buffers = a lot\n")

    with (
        pytest.raises(EmbeddedError, match="postgres ended before it was ready"),
        Keeper(short, programs=[engine(postgres)], stream=stream),
    ):
        pass
    assert "syntax error" in stream.getvalue()


def test_stop_may_be_asked_for_from_another_thread(tmp_path: Path) -> None:
    with Keeper(tmp_path / "var", stream=io.StringIO()) as keeper:
        threading.Thread(target=keeper.request_stop).start()
        keeper.wait()

        with pytest.raises(Interrupted):
            keeper.keep(shell(STEADY, tmp_path))


def test_waiting_ends_with_what_was_not_seen(tmp_path: Path) -> None:
    with Keeper(tmp_path / "var", stream=io.StringIO()) as keeper, pytest.raises(EmbeddedError, match="never true"):
        keeper.wait_until(lambda: False, seconds=0.05, otherwise=lambda: "never true")


def test_endings_in_words() -> None:
    assert how_it_ended(3) == "ended with code 3"
    assert how_it_ended(-9) == "was ended by SIGKILL"
