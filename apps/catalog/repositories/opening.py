"""From what the catalogue says about a repository to a directory git may read, as the settings allow."""

from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from apps.catalog.repositories.git import NoCommit, why_not_repository
from apps.catalog.repositories.mirrors import Fetching, mirror_of

PAGE_SECONDS = 4  # how long a page waits for a fetch before it says so and asks again
SSH = "ssh"


def open_repository(repository: str, *, wait: float = PAGE_SECONDS) -> str:
    """The directory to read from; raises NoCommit, NotYet while a mirror is being fetched."""
    if not repository:
        raise NoCommit(
            "The service names no repository. An administrator writes it on the service's page; a full commit id is taken as it is."
        )
    if repository.startswith("/"):
        return _local(repository)
    scheme = urlsplit(repository).scheme if "://" in repository else SSH  # user@host:path
    if scheme == "file":
        return _local(urlsplit(repository).path)
    if scheme not in settings.REPOSITORY_PROTOCOLS or repository.startswith("-"):
        allowed = ", ".join(settings.REPOSITORY_PROTOCOLS) or "none"
        raise NoCommit(f"Repositories are not fetched by {scheme} here; REPOSITORY_PROTOCOLS allows {allowed}.")
    how = Fetching(settings.VAR_DIR / "mirrors", tuple(settings.REPOSITORY_PROTOCOLS), settings.GIT_CONFIG_FILE)
    return str(mirror_of(repository, how=how, wait=wait))


def _local(path: str) -> str:
    """A directory of this machine, links followed before it is compared with what the settings allow."""
    real = Path(path).resolve()
    if not any(real.is_relative_to(Path(root).resolve()) for root in settings.REPOSITORY_PATHS):
        raise NoCommit(f"Repositories below {path} are not read here; REPOSITORY_PATHS names the directories that are.")
    if said := why_not_repository(str(real)):
        raise NoCommit(said)
    return str(real)
