"""Which figures there are: each a ratio of two variants measured in the same rounds, with what it must reach."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from apps.audit.seal import seal_now
from benchmarks import audit, gate, gate_pace, gate_size, pages
from benchmarks.figures import Goal, interleave, ratio
from changecontrol.embedded.cluster import APP, OWNER
from changecontrol.embedded.postgres import PrivatePostgres

WRITERS, SECONDS, ENTRIES = 32, 3, 200_000


PARTS = ("pages", "gate", "gate_pace", "audit")


def rows(server: PrivatePostgres, *, database_name: str, folder: Path, rounds: int, parts: Sequence[str] = PARTS) -> Iterator[str]:
    """One line per figure, as soon as it is measured; pages first, for they clone the database while nobody is connected."""
    if "pages" in parts:
        yield from pages.rows(server, database_name=database_name, rounds=rounds)
    if "gate_size" in parts:  # only by name: a million changes with ten million answers take minutes to write
        yield from gate_size.rows(server, database_name=database_name, rounds=rounds)
    if "gate" in parts:
        yield from gate.rows(server, database_name=database_name, rounds=rounds)
    if "gate_pace" in parts:
        yield from gate_pace.rows(server, database_name=database_name, rounds=rounds)
    if "audit" in parts:
        yield from audit_rows(server, database_name=database_name, folder=folder, rounds=rounds)


def audit_rows(server: PrivatePostgres, *, database_name: str, folder: Path, rounds: int) -> Iterator[str]:
    """Appending under seal against plain inserts, sealing against appending, verifying against hashing."""
    app, pgbench = server.url(role=APP, database=database_name), server.programs / "pgbench"
    audit.make_plain_table(server.url(role=OWNER, database=database_name))
    found = interleave(
        {
            "audited": lambda: audit.appends_audited(pgbench, app, writers=WRITERS, seconds=SECONDS, seal=seal_now),
            "plain": lambda: audit.appends_plain(pgbench, app, writers=WRITERS, seconds=SECONDS),
        },
        rounds=rounds,
    )
    yield Goal(f"audited appends / plain inserts, {WRITERS} writers", 0.85, 0.95).row(ratio(found["audited"], found["plain"]))
    bodies = audit.made_bodies(ENTRIES)
    export = folder / "export.jsonl"
    audit.write_sealed_export(export, bodies)
    found = interleave({"verify": lambda: audit.verify_rate(export), "hash": lambda: audit.hash_only_rate(bodies)}, rounds=rounds)
    yield Goal("verified entries per second / hashed only", 0.13, 0.25).row(ratio(found["verify"], found["hash"]))
