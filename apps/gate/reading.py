"""The answer of the gate's statement as frozen facts. A key that is not there is an exception, and an exception is a no."""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from apps.approvals.policy_body import read_policy
from apps.approvals.proof import Claim, proved_statement, stated
from apps.approvals.rules import PersonFacts, PolicyFacts, QuorumFacts, SignOffFacts, editor_of
from apps.changes.content import PARTS, Bound, ItemContent, Period, Rollback, Scope, part_from_bytes, revision_digest
from apps.changes.rules import PreApproval
from apps.core.ids import read_id
from apps.gate.arrivals import rungs_in
from apps.gate.exceptions import exceptions_in
from apps.gate.ground import Ground, read_ground
from apps.gate.legs import LEGS, PEOPLE
from apps.gate.passkeys import passkey_in
from apps.gate.people import person_in, place_in
from apps.gate.reports import evidence_in
from apps.gate.rules import (
    AskerFacts,
    AskerKind,
    ClosedFacts,
    Detail,
    Facts,
    LegFacts,
    Question,
    ReservationFacts,
    SlotFacts,
    TargetFacts,
)
from apps.gate.standard import bound_model, pre_approval_in

Body = Mapping[str, Any]
NOTED_EVERY = timedelta(hours=1)
REMEMBERED = 2048  # revisions and policy versions; none of them ever changes


@dataclass(frozen=True, slots=True)
class Gathered:
    """The facts for the judge, and what the endpoint needs beside them."""

    facts: Facts
    ground: Ground
    is_use_noted: bool
    asked_before: Body | None


def read_facts(body: Body, question: Question) -> Gathered:
    """Turn the JSON of the whole gather into facts."""
    ground = read_ground(body)
    ground.known.learn(_open_legs(body))
    return _read(body, question, ground=ground, legs=[_leg(one, ground.whole) for one in _open_legs(body)[:LEGS]])


def read_moving(body: Body, question: Question, *, ground: Ground) -> Gathered | None:
    """Turn what was read of what moves into facts, on the ground it was read for; None where something of a leg is not known."""
    try:
        legs = [ground.known.leg(one, lambda whole: _leg(whole, ground.whole)) for one in _open_legs(body)[:LEGS]]
    except KeyError:
        return None
    return _read(body, question, ground=ground, legs=legs)


def _open_legs(body: Body) -> Sequence[Body]:
    """The open legs that the statement tells."""
    return (body["named"]["open"] or ()) if body["named"] else ()


def _read(body: Body, question: Question, *, ground: Ground, legs: Sequence[LegFacts]) -> Gathered:
    closed = (body["named"]["closed"] or ()) if body["named"] else ()
    facts = Facts(
        now=_moment(body["at"]),
        question=question,
        asker=_asker(body, question),
        service=ground.service,
        environment=ground.environment,
        target=_target(body["target"], ground),
        legs=tuple(legs),
        legs_cut=len(_open_legs(body)) > LEGS,
        closed=tuple(ClosedFacts(one["ref"], one["change_state"], one["state"], tuple(one["identities"])) for one in closed),
        calendar=ground.calendar,
        holds=ground.holds,
        reservations=tuple(ReservationFacts(read_id(one["held_for"]), _moment(one["until"])) for one in body["reservations"] or ()),
        rungs=rungs_in(body["arrived"] or (), ground.rungs),
        modes=ground.modes,
    )
    used_at = _some_moment(body["token"]["used_at"]) if body["token"] else None
    return Gathered(
        facts=facts,
        ground=ground,
        is_use_noted=used_at is not None and facts.now - used_at < NOTED_EVERY,
        asked_before=body["asked_before"],
    )


def _asker(body: Body, question: Question) -> AskerFacts:
    now, token, personal = _moment(body["at"]), body["token"], body["personal"]
    if question.credential is None:
        return AskerFacts(AskerKind.SYSTEM)
    if token is not None:
        return AskerFacts(
            kind=AskerKind.WORKLOAD if question.workload else AskerKind.TOKEN,
            pk=token["pk"],
            id=read_id(token["id"]),
            name=token["name"],
            is_live=token["revoked_at"] is None and now < _moment(token["expires_at"]),
            actions=frozenset(token["actions"]),
            service_ids=_some(token["services"]),
            environment_ids=_some(token["environments"]),
            detail=Detail(token["detail"]),
            workload=question.workload,
        )
    if personal is not None:
        person = person_in(personal["person"])
        return AskerFacts(
            kind=AskerKind.PERSON,
            id=person.id,
            name=person.name,
            is_live=person.is_active and personal["revoked_at"] is None and now < _moment(personal["expires_at"]),
            sees_restricted=personal["is_member"] or "AUDITOR" in person.roles,
        )
    return AskerFacts(AskerKind.UNKNOWN, is_live=False)


def _target(body: Body | None, ground: Ground) -> TargetFacts | None:
    place = ground.whole["place"]
    if body is None or place is None or body["settings_id"] != ground.settings_id:
        return None
    return TargetFacts(
        pk=place["pk"],
        id=read_id(place["id"]),
        running=tuple(body["running"]),
        running_label=body["running_label"],
        previous=tuple(body["previous"]),
        previous_label=body["previous_label"],
        occupied_by=read_id(body["occupied_by"]) if body["occupied_by"] else None,
        occupied_since=_some_moment(body["occupied_since"]),
        locked_at=_some_moment(body["locked_at"]),
        lock_reason=body["lock_reason"],
        settings_digest=place["settings"] or "",
        deploy_seconds=place["deploy_seconds"] or 0,
        bake_seconds=place["bake_seconds"] or 0,
        is_retired=body["retired_at"] is not None,
    )


def _leg(body: Body, whole: Body) -> LegFacts:
    scope, rollback, period = _content(body["scope"], body["rollback"], body["period"])
    digests: Mapping[str, str] = body["digests"]
    bound = _digest(_bound(body, number=body["revision"], author=body["author"]), tuple(digests.items()))
    is_intact = digests == body["stored"] and bound == body["digest"]
    beforehand = pre_approval_in(body, whole, scope=scope, rollback=rollback, is_intact=is_intact)
    named = _named(scope, read_id(whole["service"]["id"]), read_id(whole["environment"]["id"]))
    slot = body["slot"]
    return LegFacts(
        pk=body["pk"],
        id=read_id(body["id"]),
        change_id=read_id(body["change"]),
        ref=body["ref"],
        change_state=body["change_state"],
        state=body["state"],
        failures=body["failures"],
        revision=body["revision"],
        revision_digest=body["digest"],
        is_intact=is_intact,
        identities=named.identities if named else (),
        label=named.label if named else "",
        period=period,
        rollback=rollback,
        slot=SlotFacts(_moment(slot["starts_at"]), _moment(slot["ends_at"])) if slot else None,
        quorum=_quorum(body, whole, beforehand=beforehand),
        kind=body["kind"],
        evidence=evidence_in(body),
        exceptions=exceptions_in(body, installation=read_id(whole["installation"]), target=read_id(whole["place"]["id"])),
    )


def _quorum(body: Body, whole: Body, *, beforehand: PreApproval | None) -> QuorumFacts:
    service, environment, target, policy = whole["service"], whole["environment"], whole["place"], body["policy"]
    people = (policy["people"] if policy else None) or ()
    return QuorumFacts(
        leg_id=read_id(body["id"]),
        target_id=read_id(target["id"]),
        service_id=read_id(service["id"]),
        service=service["name"],
        environment=environment["name"],
        required=environment["required"],
        policy=_policy(policy["body"], read_id(policy["id"]), policy["name"], policy["number"], policy["digest"]) if policy else None,
        digests=body["digests"],
        sign_offs=tuple(_sign_off(one, leg=body, installation=read_id(whole["installation"])) for one in body["sign_offs"] or ()),
        hands=_hands(body["hands"]),
        # A group too large to be read whole is read as empty, and an empty group never agrees.
        people=tuple(person_in(one) for one in people) if len(people) <= PEOPLE else (),
        settings={target["id"]: target["settings"]} if target["settings"] else {},
        leg_state=body["state"],
        pre_approval=beforehand,
    )


def _hands(body: Body) -> dict[str, frozenset[UUID]]:
    editors = {editor_of(part): frozenset({read_id(body["editors"][part])}) for part in PARTS}
    return {"requester": frozenset({read_id(body["requester"])}), **editors}


def _sign_off(body: Body, *, leg: Body, installation: UUID) -> SignOffFacts:
    given_by = body["person"]  # known already, or as the whole gather tells it
    person = given_by if isinstance(given_by, PersonFacts) else person_in(given_by)
    bound = _bound(leg, number=body["revision"], author=body["author"])
    claim = Claim(
        statement=b64decode(body["statement"]),
        statement_hash=body["statement_hash"],
        signature=b64decode(body["signature"]),
        key_id=body["key_id"],
        alg=body["alg"],
        installation=installation,
        change_id=bound.change_id,
        revision=bound.number,
        revision_digest=_digest(bound, tuple(body["digests"].items())),
        person_id=person.id,
        decision=body["decision"],
        meaning=body["meaning"],
        covered_parts=body["parts"],
        given_at=_moment(body["given_at"]),
        on_behalf_of=body["in_place_of"]["asked_by"] if body["in_place_of"] else "",
        **passkey_in(body["passkey"]),
    )
    proved = proved_statement(claim)
    said = proved or stated(claim.statement)
    return SignOffFacts(
        id=read_id(body["id"]),
        person=person,
        decision=claim.decision,
        meaning=claim.meaning,
        covered=said.covers if said else {},
        groups=said.groups if said else frozenset(),
        given_at=claim.given_at,
        signature_ok=proved is not None,
        settings=said.settings if said else {},
        revision=claim.revision,
        proof=said.by.get("credential", "") if said else "",
        **place_in(body["in_place_of"], signer=person, at=claim.given_at),
    )


@lru_cache(maxsize=REMEMBERED)
def _policy(body: str, policy_id: UUID, name: str, number: int, digest: str) -> PolicyFacts:
    return read_policy(b64decode(body), policy_id=policy_id, name=name, number=number, digest=digest)


@lru_cache(maxsize=REMEMBERED)
def _content(scope: str, rollback: str, period: str) -> tuple[Scope, Rollback, Period]:
    read = (part_from_bytes(part, b64decode(body)) for part, body in (("scope", scope), ("rollback", rollback), ("period", period)))
    return next(read), next(read), next(read)


def _named(scope: Scope, service: UUID, environment: UUID) -> ItemContent | None:
    """What the signed scope names for this service here; None where it does not name the place."""
    here = (item for item in scope.items if item.service_id == service and any(place.id == environment for place in item.environments))
    return next(here, None)


def _bound(leg: Body, *, number: int, author: str) -> Bound:
    return Bound(read_id(leg["change"]), leg["kind"], read_id(leg["requester"]), number, read_id(author), bound_model(leg))


@lru_cache(maxsize=REMEMBERED)
def _digest(bound: Bound, digests: tuple[tuple[str, str], ...]) -> str:
    return revision_digest(bound, part_digests=dict(digests))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _some_moment(text: str | None) -> datetime | None:
    return None if text is None else _moment(text)


def _some(ids: list[int] | None) -> frozenset[int] | None:
    return None if ids is None else frozenset(ids)
