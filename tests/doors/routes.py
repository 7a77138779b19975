"""Every address of the project, read from the URL configuration: what the generated tests walk over."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, resolve


@dataclass(frozen=True)
class Route:
    """One URL pattern; `name` is what `reverse` takes."""

    name: str
    path: str
    view: Callable[..., Any] = field(repr=False, compare=False)

    @property
    def is_api(self) -> bool:
        """Whether programs speak to it."""
        return self.path.startswith("api/")

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names in its path."""
        return tuple(part.rpartition(":")[2] for part in (piece.partition(">")[0] for piece in self.path.split("<")[1:]))


def _patterns(resolver: URLResolver, path: str = "", space: str = "") -> Iterator[Route]:
    for part in resolver.url_patterns:
        here = path + str(part.pattern)
        if isinstance(part, URLResolver):
            yield from _patterns(part, here, f"{space}{part.namespace}:" if part.namespace else space)
        elif isinstance(part, URLPattern):
            yield Route(f"{space}{part.name}", here, part.callback)


ROUTES = {route.name: route for route in _patterns(get_resolver())}


def route_of(address: str) -> str:
    """The name of the route behind an address; raises Resolver404."""
    return resolve(address.partition("?")[0].partition("#")[0]).view_name
