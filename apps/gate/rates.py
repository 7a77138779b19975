"""How often one asker may ask: token buckets in this process's memory, so n processes allow n times as much. Nothing is shared.

An asker that was let in has a bucket of its own; whoever is not known yet shares one with everybody at its address."""

import ipaddress
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from time import monotonic

BURST_SECONDS = 10  # a bucket holds what so many seconds bring
MOST = 10_000  # buckets of a kind; of more, those unused longest are forgotten, and a forgotten one is full again
IPV6_NETWORK = 64  # whoever has one address of it has them all


class Buckets:
    """Buckets by key, all of one size, filled by the clock."""

    def __init__(self, *, most: int = MOST, clock: Callable[[], float] = monotonic) -> None:
        self._most, self._clock = most, clock
        self._lock = threading.Lock()
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._levels

    def take(self, key: Hashable, *, per_second: int) -> float:
        """Take one; 0 where there was one, else the seconds until there is. A rate of 0 is no limit."""
        if per_second <= 0:
            return 0.0
        full, now = float(per_second * BURST_SECONDS), self._clock()
        with self._lock:
            level, at = self._levels.pop(key, (full, now))
            level = min(full, level + (now - at) * per_second)
            is_there = level >= 1
            self._levels[key] = (level - 1 if is_there else level, now)
            while len(self._levels) > self._most:
                self._levels.popitem(last=False)
        return 0.0 if is_there else (1 - level) / per_second

    def admit(self, key: Hashable, *, per_second: int) -> None:
        """Give a key its bucket, full."""
        with self._lock:
            if key not in self._levels:
                self._levels[key] = (float(per_second * BURST_SECONDS), self._clock())

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._levels.clear()


askers, addresses = Buckets(), Buckets()


def place_of(address: str) -> str:
    """The part of an address that one caller holds."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((int(found), IPV6_NETWORK), strict=False))


def whole_seconds(wait: float) -> int:
    """The seconds to tell in Retry-After."""
    return max(1, math.ceil(wait))
