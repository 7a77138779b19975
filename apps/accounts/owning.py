"""What persons own, for the pages about people: services are known above, so whoever knows them says it here."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from apps.accounts.models import Person

IN_A_LIST, ON_A_PAGE = 3, 20  # services that are named


@dataclass(frozen=True, slots=True)
class Owned:
    """A service that somebody owns, as far as a list names it."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Owning:
    """The first services of one person by name, and how many more there are."""

    named: Sequence[Owned] = ()
    more: int = 0


Owners = Callable[[Collection[int], Person, int], Mapping[int, Owning]]

_known: list[Owners] = []


def register(known: Owners) -> None:
    """Let KNOWN say what persons own, by their number, as far as the reader may see it: so many by name, the others counted."""
    if known not in _known:
        _known.append(known)
    if len(_known) > 1:
        raise ValueError("Two apps say what persons own.")


def owned_by(*people: Person, reader: Person, most: int) -> Mapping[int, Owning]:
    """What each of these persons owns, by their number; those who own nothing are left out."""
    return _known[0]([person.pk for person in people], reader, most)
