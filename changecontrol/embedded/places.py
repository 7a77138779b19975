"""Where an engine keeps data and socket: beside the caller's directory when the account can reach it, else in a shelter.

What was chosen is written down, so that the next run finds the same data."""

import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from changecontrol.embedded.account import Account, EmbeddedError, engine_account

# sun_path is 108 bytes on Linux and 104 elsewhere, its closing NUL included.
SOCKET_PATH_LIMIT = 107 if sys.platform == "linux" else 103
SHELTERS = Path("/var/lib/changecontrol")
SHORT_FOLDER = Path("/tmp")  # noqa: S108 - only ever holds a fresh 0700 directory from mkdtemp


@dataclass(frozen=True, slots=True)
class Place:
    """`home` is what the caller named (lock, notes); `base` holds the directories of the engine."""

    home: Path
    base: Path
    account: Account
    socket_directory: Path

    @property
    def data(self) -> Path:
        """The directory with what must survive a restart."""
        return self.base / "data"


class Notes:
    """What an earlier run chose, kept in `place.json` of the home directory."""

    def __init__(self, home: Path) -> None:
        self._file = home / "place.json"

    def read(self, name: str) -> Path | None:
        """Return the path noted under a name."""
        if not self._file.exists():
            return None
        value = json.loads(self._file.read_text()).get(name)
        return Path(value) if value else None

    def write(self, name: str, path: Path) -> None:
        """Note a path, all or nothing."""
        known = json.loads(self._file.read_text()) if self._file.exists() else {}
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps({**known, name: str(path)}, indent=1) + "\n")
        fresh.replace(self._file)


class Lock:
    """One owner per directory. The kernel lets go of it when the owner dies, however it dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> int | None:
        """Take the lock, or return the process id of who has it (0 when unknown)."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            written = os.read(descriptor, 32).strip()
            os.close(descriptor)
            return int(written) if written.isdigit() else 0
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return None

    def release(self) -> None:
        """Let go. The file stays: removing it would let two owners lock two files of one name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def find_place(home: Path, *, socket_name: str, durable: bool) -> Place:
    """Return the place of an engine, making what is missing."""
    notes = Notes(home)
    shelter = notes.read("shelter")
    account = engine_account((shelter or home) / "data")
    base = home
    if shelter or not account.can_enter(home):
        base = _shelter(home, notes, durable=durable)
    return Place(home=home, base=base, account=account, socket_directory=_socket_directory(base, notes, account, socket_name))


def open_folder(path: Path) -> None:
    """Make our own folder when it is missing. One that is there keeps its mode."""
    if not path.exists():
        path.mkdir(parents=True, exist_ok=True)
        let_pass(path)


def let_pass(folder: Path) -> None:
    """Close a folder of ours to others; as root they may walk through it, or the engine's account could not."""
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)


def _shelter(home: Path, notes: Notes, *, durable: bool) -> Path:
    if known := notes.read("shelter"):
        if known.is_dir():
            return known
        raise EmbeddedError(
            f"{home / 'place.json'} says that the data lies in {known}, which is gone. "
            f"Bring it back, or remove {home / 'place.json'} to begin with an empty one."
        )
    if durable:
        shelter = SHELTERS / hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
        try:
            shelter.mkdir(mode=0o711, parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedError(
                f"As root the engines run under another account. It cannot reach {home}, and {shelter} cannot be made ({error.strerror}). "
                "Run this as an ordinary user, or set VAR_DIR to a folder that others may walk through."
            ) from error
    else:
        shelter = Path(tempfile.mkdtemp(prefix="cc-", dir=SHORT_FOLDER))
        shelter.chmod(0o711)
    notes.write("shelter", shelter)
    return shelter


def _socket_directory(base: Path, notes: Notes, account: Account, socket_name: str) -> Path:
    plain = base / "socket"
    if _fits(plain, socket_name):
        account.own(plain)
        return plain
    if (known := notes.read("socket")) and _is_private(known, account):
        return known
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    # A runtime directory belongs to the person at the keyboard: root's engines run under another account.
    folder = Path(runtime) if account.uid is None and runtime and os.access(runtime, os.W_OK) else SHORT_FOLDER
    short = Path(tempfile.mkdtemp(prefix="cc-", dir=folder if _fits(folder / "cc-12345678", socket_name) else SHORT_FOLDER))
    account.own(short)
    notes.write("socket", short)
    return short


def _fits(directory: Path, socket_name: str) -> bool:
    return len(os.fsencode(directory / socket_name)) <= SOCKET_PATH_LIMIT


def _is_private(directory: Path, account: Account) -> bool:
    if directory.is_symlink() or not directory.is_dir():
        return False
    found = directory.stat()
    owner = os.geteuid() if account.uid is None else account.uid
    return found.st_uid == owner and found.st_mode & 0o777 == 0o700


def remove_place(place: Place) -> None:
    """Remove everything an engine kept. Only for throw-away engines."""
    for directory in (place.socket_directory, place.base, place.home):
        shutil.rmtree(directory, ignore_errors=True)
