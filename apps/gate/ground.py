"""What an answer stands on that seldom moves: kept in the process, and good for as long as the database bears the same stamp.

Whatever writes to one of those tables gives the database a new stamp in the same transaction (`migrations/0008_ground.py`).
A question reads the stamp with the same statement as what moves; where it is the one that was kept, so is all the rest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import Any
from uuid import UUID

from apps.approvals.rules import PersonFacts
from apps.core.ids import read_id
from apps.gate.people import person_in
from apps.gate.rules import CalendarFacts, EnvironmentFacts, HoldFacts, LegFacts, Question, ServiceFacts

Body = Mapping[str, Any]
KEPT = 2048  # places; a house that asks about more reads some of them anew
KEPT_LEGS = 32  # of each place; people and revisions the same
OF_A_LEG = ("requester", "author", "policy", "hands")
OF_A_REVISION = ("revision", "author", "digests")


@dataclass(frozen=True, slots=True)
class Known:
    """What was read of the legs of a place and stands on its ground: people, the policy, and what a revision said.

    The policy of a leg follows from its change's kind and risk; its revisions never change."""

    # By ids that never come again, whatever is restored: a stamp that comes back must not meet another row of the same number.
    legs: dict[tuple[str, int, str, int | None], Body] = field(default_factory=dict)
    people: dict[int, PersonFacts] = field(default_factory=dict)  # by row: a new one has another stamp
    signed: dict[str, Body] = field(default_factory=dict)  # by sign-off: the revision that was signed
    facts: dict[int, tuple[Body, LegFacts]] = field(default_factory=dict)  # of a leg as it was told last

    def learn(self, legs: Sequence[Body]) -> None:
        """Keep what whole legs say."""
        for leg in legs:
            self.legs[_key(leg)] = {part: leg[part] for part in OF_A_LEG}
            for one in leg["sign_offs"] or ():
                self.people[one["person_pk"]] = person_in(one["person"])
                self.signed[one["id"]] = {part: one[part] for part in OF_A_REVISION}

    def take(self, other: "Known") -> None:
        """Keep what another one has learned on the same ground."""
        if max(len(self.legs), len(self.people), len(self.signed)) > KEPT_LEGS:
            for part in (self.legs, self.people, self.signed, self.facts):
                part.clear()
        self.legs.update(other.legs)
        self.people.update(other.people)
        self.signed.update(other.signed)

    def whole(self, leg: Body) -> Body:
        """A leg as the whole gather tells it. Raises KeyError where something of it is not known."""
        return {**leg, **self.legs[_key(leg)], "sign_offs": [self._whole(one) for one in leg["sign_offs"] or ()]}

    def leg(self, told: Body, read: Callable[[Body], LegFacts]) -> LegFacts:
        """The facts of a leg. What is told in the very words of the last time is read once: facts follow from them and the ground."""
        before = self.facts.get(told["pk"])
        if before is not None and before[0] == told:
            return before[1]
        found = read(self.whole(told))
        self.facts[told["pk"]] = (told, found)
        return found

    def _whole(self, sign_off: Body) -> Body:
        return {**sign_off, **self.signed[sign_off["id"]], "person": self.people[sign_off["person_pk"]]}


def _key(leg: Body) -> tuple[str, int, str, int | None]:
    return leg["revision_id"], leg["requester_pk"], leg["kind"], leg["risk"]


@dataclass(frozen=True, slots=True)
class Ground:
    """A service in an environment with its calendar, holds and strictness, as one statement read them."""

    whole: Body  # as the statement told it: what is read of a leg is read against it
    where: tuple[int, int, int, int] | None  # service, environment, team, target; None: there is no such place
    settings_id: int | None
    stamp: int | None  # None: the table of stamps is not whole, and nothing is kept
    since: datetime
    until: datetime | None  # when the calendar says something else; None: never
    installation: UUID
    is_key_listed: bool
    service: ServiceFacts | None
    environment: EnvironmentFacts | None
    calendar: tuple[CalendarFacts, ...]
    holds: tuple[HoldFacts, ...]
    modes: Mapping[str, str]
    rungs: tuple[tuple[str, int], ...]  # the environments below, and the target there
    known: Known

    def still_holds(self, moving: Body) -> bool:
        """Whether what was read now belongs to it: the same stamp and settings, and no border of the calendar in between."""
        now, target = datetime.fromisoformat(moving["at"]), moving["target"]
        if moving["stamp"] is None or moving["stamp"] != self.stamp or target is None or target["settings_id"] != self.settings_id:
            return False
        return self.since <= now and (self.until is None or now < self.until)


_kept: dict[tuple[str, str, str], Ground] = {}
_keeping = Lock()


def ground_of(question: Question, *, key_id: str) -> Ground | None:
    """What is kept about the place of a question; it may be over."""
    return _kept.get((question.service, question.environment, key_id))


def keep_ground(ground: Ground, question: Question, *, key_id: str, is_ahead: bool = False) -> None:
    """Keep what was read about a place and its legs. One that does not exist is not kept: anybody may name those.

    What was read for a moment ahead does not take the place of what holds now."""
    if ground.where is None or ground.stamp is None:
        return
    before = ground_of(question, key_id=key_id)
    # The calendar went on, or a leg was not known: the others still are.
    if before is not None and (before.stamp, before.settings_id) == (ground.stamp, ground.settings_id):
        before.known.take(ground.known)
        if is_ahead:
            return
        ground = replace(ground, known=before.known)
    with _keeping:
        _kept.pop((question.service, question.environment, key_id), None)
        while len(_kept) >= KEPT:
            del _kept[next(iter(_kept))]  # the one that was read longest ago
        _kept[question.service, question.environment, key_id] = ground


def read_ground(body: Body) -> Ground:
    """The ground in the answer of the gather."""
    until, (service, environment, place) = body["calendar_until"], (body["service"], body["environment"], body["place"])
    return Ground(
        whole={"service": service, "environment": environment, "place": place, "installation": body["installation"]},
        where=(service["pk"], environment["pk"], service["team"], place["pk"]) if place else None,
        settings_id=place["settings_id"] if place else None,
        stamp=body["stamp"],
        since=datetime.fromisoformat(body["at"]),
        until=None if until is None else datetime.fromisoformat(until),
        installation=read_id(body["installation"]),
        is_key_listed=body["key_listed"],
        service=_service(service),
        environment=_environment(environment),
        calendar=tuple(_calendar(one) for one in body["calendar"] or ()),
        holds=tuple(HoldFacts(one["source"], one["reason"], datetime.fromisoformat(one["placed_at"])) for one in body["holds"] or ()),
        modes=body["modes"] or {},
        rungs=tuple((one["environment"], one["target"]) for one in body["rungs"] or ()),
        known=Known(),
    )


def _service(body: Body | None) -> ServiceFacts | None:
    if body is None:
        return None
    return ServiceFacts(body["pk"], read_id(body["id"]), body["slug"], body["name"], body["restricted"], body["retired_at"] is not None)


def _environment(body: Body | None) -> EnvironmentFacts | None:
    if body is None:
        return None
    return EnvironmentFacts(
        pk=body["pk"],
        id=read_id(body["id"]),
        slug=body["slug"],
        name=body["name"],
        rank=body["rank"],
        change_required=body["required"],
        zone=body["zone"],
        is_retired=body["retired_at"] is not None,
        offline_minutes=body["offline"],
    )


def _calendar(body: Body) -> CalendarFacts:
    return CalendarFacts(
        kind=body["kind"],
        title=body["title"],
        zone=body["zone"],
        covers_now=body["covers"],
        starts_at=_some_moment(body["starts_at"]),
        ends_at=_some_moment(body["ends_at"]),
        expanded_until=_some_moment(body["expanded_until"]),
    )


def _some_moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
