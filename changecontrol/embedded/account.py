"""Which operating system account runs an engine, and what that account can reach.

PostgreSQL refuses to run as root; no account is made and no folder is opened for it."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path


class EmbeddedError(Exception):
    """An engine cannot run; the text states the fact and the cure."""


@dataclass(frozen=True, slots=True)
class Account:
    """The account of an engine. `uid` is None when it is the one we already run as."""

    uid: int | None = None
    gid: int | None = None

    @property
    def groups(self) -> list[int] | None:
        """Supplementary groups for Popen: none at all once the account differs from ours."""
        return None if self.uid is None else []

    def can_enter(self, directory: Path) -> bool:
        """Say whether the account can walk to this directory. Tried, not computed: ACLs and mounts count too."""
        if self.uid is None:
            return True
        walk = ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(directory)]
        return self._try(walk)

    def can_run(self, program: Path) -> bool:
        """Say whether the account can run this program, its shared libraries included."""
        return self.uid is None or self._try([str(program), "--version"])

    def own(self, directory: Path) -> None:
        """Make a directory of this account alone (0700). Its folder must exist and is left as it is."""
        directory.mkdir(mode=0o700, exist_ok=True)
        if directory.is_symlink():
            raise EmbeddedError(f"{directory} is a symbolic link. Remove it; a private directory is made in its place.")
        if self.uid is not None and self.gid is not None:
            os.chown(directory, self.uid, self.gid)
        directory.chmod(0o700)

    def _try(self, argv: list[str]) -> bool:
        quiet = subprocess.DEVNULL
        try:
            done = subprocess.run(
                argv, user=self.uid, group=self.gid, extra_groups=self.groups,
                cwd="/", env={"LC_ALL": "C"}, stdin=quiet, stdout=quiet, stderr=quiet, timeout=30, check=False,
            )  # fmt: skip
        except OSError:
            return False
        return done.returncode == 0


def engine_account(data: Path) -> Account:
    """Return the account for a data directory: ours, or as root its owner, else `nobody`."""
    if os.geteuid() != 0:
        return Account()
    if data.exists() and (found := data.stat()).st_uid != 0:
        return Account(uid=found.st_uid, gid=found.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as error:
        raise EmbeddedError("There is no account named nobody to run the engines under. Run this as an ordinary user.") from error
    return Account(uid=nobody.pw_uid, gid=nobody.pw_gid)


def own_name() -> str:
    """Return the name of the account we run as; only this one may connect to an engine."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError as error:
        raise EmbeddedError(
            f"User id {os.geteuid()} has no name in the account list, and PostgreSQL asks for one. Add it there."
        ) from error
