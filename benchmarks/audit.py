"""The stream's rates: appending with the sealer at work against plain inserts, and verifying against hashing alone.

Functions only; each measures one cell of one round. The caller interleaves them and compares medians of ratios."""

import hashlib
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from uuid import UUID

import psycopg

from apps.audit.merkle import head_hash, leaf_hash, merkle_root
from apps.audit.record import compose
from apps.audit.verifier import verify
from apps.audit.vocabulary import Event
from apps.core.actors import Actor, ActorKind
from apps.core.canonical import canonical_bytes
from apps.core.ids import new_id
from apps.core.locks import database_now
from apps.core.references import reference
from apps.core.signing import base64_text

COLUMNS = "id, event, at, subject, refs, body"
# An entry as they are: a change, its service, target, environment and actor, and some 450 bytes of body.
VALUES = (
    "uuidv7(), 'change.submitted', clock_timestamp(), 'change:' || :n, "
    "array['change:' || :n, 'environment:3', 'person:' || :n % 50, 'service:' || :n % 200, 'target:' || :n % 600], "
    "convert_to(repeat('0123456789', 45) || :n, 'utf8')"
)
PLAIN = "bench_plain_entry"
SEAL_EVERY_SECONDS = 1.0


def make_plain_table(owner_url: str) -> None:
    """The same table without what sealing needs: no transaction id, no index on it, no guard."""
    with psycopg.connect(owner_url) as connection:
        connection.execute(f"drop table if exists {PLAIN}")
        connection.execute(f"create table {PLAIN} (like audit_entry including all)")
        connection.execute(f"alter table {PLAIN} drop column xid")


def appends_plain(pgbench: Path, app_url: str, *, writers: int, seconds: int) -> float:
    """Inserts per second into the plain table."""
    return _appends(pgbench, app_url, table=PLAIN, writers=writers, seconds=seconds)


def appends_audited(pgbench: Path, app_url: str, *, writers: int, seconds: int, seal: Callable[[], int]) -> float:
    """Inserts per second into the stream, while it is sealed each second as in production."""
    with _sealing(seal):
        return _appends(pgbench, app_url, table="audit_entry", writers=writers, seconds=seconds)


def seal_rate(seal: Callable[[], int]) -> tuple[int, float]:
    """Seal what waits: how many entries, and how many per second."""
    began = time.perf_counter()
    count = seal()
    return count, count / (time.perf_counter() - began)


def verify_rate(export: Path) -> float:
    """Entries per second through the verifier, from a file, in one process."""
    began = time.perf_counter()
    with export.open("rb") as file:
        report = verify(file)
    return (report.position + report.tail) / (time.perf_counter() - began)


def hash_only_rate(bodies: list[bytes]) -> float:
    """Entries per second when nothing is done but hashing their bytes."""
    began = time.perf_counter()
    for body in bodies:
        hashlib.sha256(b"\x00" + body).digest()
    return len(bodies) / (time.perf_counter() - began)


def made_bodies(count: int) -> list[bytes]:
    """Bytes of entries as `record` makes them."""
    by, at = Actor(ActorKind.PERSON, str(new_id()), "session"), database_now()
    refs = [reference(kind, new_id()) for kind in ("service", "target", "environment")]
    return [
        compose(Event.CHANGE_SUBMITTED, subject=reference("change", new_id()), by=by, at=at, refs=refs, data={"revision": number}).columns[
            5
        ]
        for number in range(count)
    ]


def write_sealed_export(path: Path, bodies: list[bytes], *, batch: int = 20_000) -> None:
    """An export of these entries, sealed as the sealer does it, without a database."""
    installation, head, lines = str(UUID(int=0)), bytes(32), 1
    with path.open("wb") as file:
        file.write(_line({"kind": "header", "format": "changecontrol/export/v1", "installation": installation, "kinds": []}))
        for number, start in enumerate(range(0, len(bodies), batch), start=1):
            part = bodies[start : start + batch]
            leaves = [leaf_hash(body) for body in part]
            inside = {
                "number": number,
                "first_position": start + 1,
                "count": len(part),
                "previous_head": head.hex(),
                "installation": installation,
                "root": merkle_root(leaves).hex(),
            }
            body, previous = canonical_bytes(inside), head
            head = head_hash(previous, body)
            ids = [json.loads(entry)["id"] for entry in part]
            seal = inside | {"kind": "seal", "entry_ids": ids, "leaves": b"".join(leaves), "body": body, "head": head.hex()}
            file.write(_line(seal))
            file.writelines(entry + b"\n" for entry in part)
            lines += 1 + len(part)
        file.write(_line({"kind": "end", "lines": lines + 1}))


def _line(content: dict[str, object]) -> bytes:
    return json.dumps(content, default=base64_text, separators=(",", ":")).encode() + b"\n"


def _appends(pgbench: Path, url: str, *, table: str, writers: int, seconds: int) -> float:
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(f"\\set n random(1, 100000)\ninsert into {table} ({COLUMNS}) values ({VALUES});\n")
        script.flush()
        argv = [str(pgbench), "-n", "-M", "prepared", "-c", str(writers), "-j", "1", "-T", str(seconds), "-f", script.name, url]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
    found = re.search(r"tps = ([0-9.]+) \(without", done.stdout)
    assert found, done.stdout
    return float(found[1])


@contextmanager
def _sealing(seal: Callable[[], int]) -> Iterator[None]:
    """The sealer beside the writers, once a second, from its own thread and connection."""
    over, errors = Flag(), []

    def work() -> None:
        try:
            while not over.wait(SEAL_EVERY_SECONDS):
                seal()
        except Exception as error:  # noqa: BLE001 - raised again below, in the thread that measures
            errors.append(error)

    thread = Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if errors:
        raise errors[0]
