"""Moves the data of the private PostgreSQL from one major version to the next: dump with the old, restore with the new."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from changecontrol.embedded.account import EmbeddedError
from changecontrol.embedded.cluster import DATABASE
from changecontrol.embedded.postgres import SUPERUSER, PrivatePostgres


def move(home: Path, *, programs: Path) -> Path:
    """Move the data and return where the old data stays. Until the last two renames nothing of the old is touched."""
    dump, fresh = home / "move.dump", home / "move"
    shutil.rmtree(fresh, ignore_errors=True)
    old = PrivatePostgres(home, programs=programs)
    with old:
        version = (old.place.data / "PG_VERSION").read_text().strip()
        aside = old.place.data.with_name(f"data-{version}")
        if aside.exists():
            raise EmbeddedError(f"{aside} exists from an earlier move. Take it away, then move again.")
        _run(programs / "pg_dump", "--format=custom", f"--file={dump}", old.url(SUPERUSER))
        new = PrivatePostgres(fresh)
        with new:
            new.provision()
            # The dump brings its own grants; roles and database are there already.
            _run(new.programs / "pg_restore", "--exit-on-error", "--single-transaction", f"--dbname={new.url(SUPERUSER)}", str(dump))
    old.place.data.rename(aside)
    new.place.data.rename(old.place.data)
    new.remove()
    dump.unlink()
    return aside


def _run(program: Path, *words: str) -> None:
    done = subprocess.run([str(program), *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EmbeddedError(f"{program.name} ended with code {done.returncode}. Nothing was changed.\n{done.stderr.strip()}")


def main() -> int:
    """Read the command line and move."""
    parser = argparse.ArgumentParser(
        prog="python -m changecontrol.embedded.move", description=f"Moves the database {DATABASE} to this PostgreSQL."
    )
    parser.add_argument("home", type=Path, help="the directory of the private PostgreSQL, usually var/postgres")
    parser.add_argument("--programs", type=Path, required=True, help="the bin folder of the old PostgreSQL")
    given = parser.parse_args()
    try:
        aside = move(given.home.resolve(), programs=given.programs.resolve())
    except (EmbeddedError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"The data is moved. The old data stays in {aside}; remove it once you have seen that all is there.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
