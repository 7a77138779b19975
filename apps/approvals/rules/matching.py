"""Distinct people to seats: a bipartite matching that fills earlier seats first. Pure."""

from collections.abc import Iterable, Sequence
from uuid import UUID


def match_seats(seats: Sequence[Iterable[UUID]]) -> list[UUID | None]:
    """Return who sits where; each person once. As many seats as possible are filled, the first ones before the later.

    Kuhn's augmenting paths: a seat that has been filled stays filled, so the order of seats is their priority."""
    wanted = [sorted(set(seat)) for seat in seats]
    seat_of: dict[UUID, int] = {}

    def fill(seat: int, tried: set[UUID]) -> bool:
        for person in wanted[seat]:
            if person in tried:
                continue
            tried.add(person)
            if person not in seat_of or fill(seat_of[person], tried):
                seat_of[person] = seat
                return True
        return False

    for seat in range(len(wanted)):
        fill(seat, set())
    taken = {seat: person for person, seat in seat_of.items()}
    return [taken.get(seat) for seat in range(len(wanted))]
