"""Who is told after each sealing. Apps above register in `AppConfig.ready`; a follower reads through `stream.follow`."""

import logging
from collections.abc import Callable

Follower = Callable[[], object]

logger = logging.getLogger(__name__)
_followers: dict[str, Follower] = {}


def register(name: str, follower: Follower) -> None:
    """Call `follower` after each sealing; a name is taken once."""
    if _followers.setdefault(name, follower) is not follower:
        raise ValueError(f"Two followers are called {name}.")


def run_followers() -> None:
    """Let everyone read on. One that fails is logged and tried again after the next sealing; the others are not kept waiting."""
    for name, follower in _followers.items():
        try:
            follower()
        except Exception:
            logger.exception("The follower %s failed. It goes on where it stood after the next sealing.", name)
