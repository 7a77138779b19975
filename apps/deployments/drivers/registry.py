"""Which driver a target's settings mean by a name."""

from apps.deployments.drivers.base import Driver
from apps.deployments.drivers.release_dir.driver import ReleaseDir

_drivers: dict[str, Driver] = {"release_dir": ReleaseDir()}


def register(name: str, driver: Driver) -> None:
    """Add a driver, or put another in its place."""
    _drivers[name] = driver


def driver_named(name: str) -> Driver | None:
    """The driver of this name; None where there is none."""
    return _drivers.get(name)


def driver_names() -> list[str]:
    """All names, sorted."""
    return sorted(_drivers)
