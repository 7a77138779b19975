"""Plain functions about services and targets that join the caller's transaction; what verbs here and in apps above are made of."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID, uuid4

from apps.accounts.models import Person, Team
from apps.accounts.steps import person_by_actor
from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.facts import PersonFacts, person_facts
from apps.catalog.inputs import (
    ENVIRONMENT_READERS,
    SERVICE_READERS,
    EnvironmentFields,
    ServiceFields,
    read_fields,
)
from apps.catalog.models import (
    Arrival,
    Environment,
    EnvironmentAlias,
    Outcome,
    Service,
    ServiceAlias,
    Target,
    TargetSettings,
)
from apps.catalog.rules import asks_less
from apps.catalog.versions import Version
from apps.core.actors import Actor
from apps.core.canonical import digest
from apps.core.references import Reference
from apps.core.refusals import BadContent, Refused, not_now

KNOWN_GOOD = (Outcome.SUCCEEDED, Outcome.ADOPTED)
RUNS_NOW = (*KNOWN_GOOD, Outcome.LEFT)


def asker(by: Actor, service: Service | None = None) -> PersonFacts:
    """The facts about who asks; raises Refused when it is no present person."""
    return person_facts(person_by_actor(by), service)


def target_refs(target: Target) -> list[Reference]:
    """What every entry about a target also names."""
    return [target.service.reference, target.environment.reference]


def read_service(given: ServiceFields, *, of: Service | None = None) -> dict[str, object]:
    """Check what is written about a service, the uniqueness of its slug included; raises BadContent."""
    found = read_fields(given, SERVICE_READERS)
    if "team_id" in found and not Team.objects.open_now().filter(pk=found["team_id"]).exists():
        raise BadContent({"team_id": ["There is no such team, or it is retired. Choose another."]})
    if "slug" in found:
        _claim_service_slug(str(found["slug"]), of)
    repository, repository_id = (found.get(field, getattr(of, field, "")) for field in ("repository", "repository_id"))
    if repository and not repository_id:
        found["repository_id"] = str(uuid4())
    return found


def read_environment(given: EnvironmentFields, *, of: Environment | None = None) -> dict[str, object]:
    """Check what is written about an environment, the uniqueness of its slug included; raises BadContent."""
    found = read_fields(given, ENVIRONMENT_READERS)
    if "slug" in found:
        slug = str(found["slug"])
        holder = Environment.objects.filter(slug=slug).first() or _holder(EnvironmentAlias.objects.filter(slug=slug).first(), "environment")
        _refuse_taken(slug, holder, of)
    return found


def add_service(given: ServiceFields, *, by: Actor, at: datetime) -> Service:
    """Make a service. The caller holds the calendar guard, so no other slug is claimed meanwhile. Raises BadContent."""
    service = Service.objects.create(**read_service(given))
    details = {"name": service.name, "repository": service.repository}
    data = {"slug": service.slug, "tier": service.tier, "is_restricted": service.is_restricted}
    record(Event.SERVICE_CREATED, subject=service, refs=[service.team.reference], by=by, at=at, data=data, details=details)
    return service


def add_environment(given: EnvironmentFields, *, by: Actor, at: datetime) -> Environment:
    """Make an environment. The caller holds the calendar guard, so no other slug is claimed meanwhile. Raises BadContent."""
    made = Environment.objects.create(**read_environment(given))
    data = {"slug": made.slug, "rank": made.rank, "change_required": made.change_required}
    record(Event.ENVIRONMENT_CREATED, subject=made, by=by, at=at, data=data, details={"name": made.name})
    return made


def add_target(service: Service, environment: Environment, *, by: Actor, at: datetime) -> Target:
    """Let a service live in an environment; its settings are written next."""
    target = Target.objects.create(service=service, environment=environment)
    record(Event.TARGET_CREATED, subject=target, refs=target_refs(target), by=by, at=at, details=_named(target))
    return target


def add_settings(target: Target, body: bytes, *, by: Actor, at: datetime) -> TargetSettings:
    """Make the next immutable version of the settings and point the target to it. The caller has locked the target."""
    number = target.settings_versions.count() + 1
    before = target.settings.digest if target.settings else None
    made = TargetSettings.objects.create(target=target, number=number, body=body, digest=digest(body), made_at=at, made_by=actor_text(by))
    target.settings = made
    target.save(update_fields=["settings"])
    data = {"number": number, "digest": made.digest, "digest_before": before}
    record(Event.TARGET_SETTINGS_CHANGED, subject=target, refs=target_refs(target), by=by, at=at, data=data, details=_named(target))
    return made


def write_changes(row: Service | Environment, found: dict[str, object]) -> tuple[dict[str, object], dict[str, str]]:
    """Write the fields that differ; return data (codes) and details (texts) of the entry that tells it."""
    changed = {field: value for field, value in found.items() if getattr(row, field) != value}
    texts, named = {"name", "description", "repository"}, {"team_id"}  # a team is named by reference, not by row number
    before = {field: getattr(row, field) for field in changed}
    for field, value in changed.items():
        setattr(row, field, value)
    row.save(update_fields=[*changed])
    codes: dict[str, object] = {
        f"{field}_{when}": side[field] for when, side in (("before", before), ("now", changed)) for field in set(changed) - texts - named
    }
    told = {f"{field}_{when}": str(side[field]) for when, side in (("before", before), ("now", changed)) for field in set(changed) & texts}
    return {"fields": sorted(changed), **codes}, {"name": row.name, **told}


def write_environment(
    environment: Environment, found: dict[str, object], *, by: Actor, at: datetime, proposed_by: Person | None = None
) -> None:
    """Write the fields that differ and tell it; nothing where none does. To ask for less alone is marked as one person's."""
    before = environment.change_required
    data, details = write_changes(environment, found)
    if not data["fields"]:
        return
    if environment.change_required != before:
        environment.required_since = at
        environment.save(update_fields=["required_since"])
    if asks_less(before, environment.change_required) and proposed_by is None:
        data["single_handed"] = True
    refs = [proposed_by.reference] if proposed_by else []
    details |= {"proposer": proposed_by.name} if proposed_by else {}
    record(Event.ENVIRONMENT_CHANGED, subject=environment, refs=refs, by=by, at=at, data=data, details=details)


def occupy_target(target: Target, deployment_id: UUID, *, by: Actor, at: datetime, refs: Iterable[Reference] = ()) -> None:
    """Let one deployment have the target; nothing happens when it has it already. Raises Refused when another has it."""
    if target.occupied_by == deployment_id:
        return
    if not Target.objects.filter(pk=target.pk, occupied_by__isnull=True).update(occupied_by=deployment_id, occupied_since=at):
        raise Refused(
            not_now("occupied", f"Another deployment occupies {target}.", "Wait until it ends, or abort it."), about=target.reference
        )
    target.occupied_by, target.occupied_since = deployment_id, at
    about = [*target_refs(target), Reference("deployment", str(deployment_id)), *refs]
    record(Event.TARGET_OCCUPIED, subject=target, refs=about, by=by, at=at, details=_named(target))


def free_target(target: Target, *, by: Actor, at: datetime, refs: Iterable[Reference] = ()) -> None:
    """Take the target away from its deployment; nothing happens when none has it."""
    held_by = target.occupied_by
    if held_by is None:
        return
    target.occupied_by = target.occupied_since = None
    target.save(update_fields=["occupied_by", "occupied_since"])
    about = [*target_refs(target), Reference("deployment", str(held_by)), *refs]
    record(Event.TARGET_FREED, subject=target, refs=about, by=by, at=at, details=_named(target))


def note_arrival(
    target: Target,
    version: Version,
    outcome: Outcome,
    *,
    by: Actor,
    at: datetime,
    caused_by: Reference | None = None,
    refs: Iterable[Reference] = (),
    reason: str = "",
) -> Arrival:
    """Write down that a version reached the target, and what runs there since. The caller has locked the target.

    SUCCEEDED and ADOPTED: the version runs now, what ran is previous. ROLLED_BACK: `version` is the one that was gone
    back to; it runs again. FAILED: only the arrival is kept. LEFT: it runs now and is known to be bad, so nothing is
    promoted from here and nothing goes back to it. Without `caused_by` it is an adoption."""
    event = Event.VERSION_ADOPTED if outcome is Outcome.ADOPTED else Event.VERSION_ARRIVED
    about = [*target_refs(target), *([caused_by] if caused_by else []), *refs]
    data = {"outcome": outcome, "identities": [*version.identities]}
    details = {**_named(target), "label": version.label, "reason": reason}
    entry_id = record(event, subject=target, refs=about, by=by, at=at, data=data, details=details)
    if outcome in RUNS_NOW:
        _run(target, version, at)
    elif outcome is Outcome.ROLLED_BACK:
        _run_again(target, version, at)
    cause = str(caused_by or Reference("adoption", str(entry_id)))
    return Arrival.objects.create(
        target=target, label=version.label, identities=[*version.identities], outcome=outcome, at=at, caused_by=cause
    )


def set_rollback_ready(target: Target, ready_at: datetime | None) -> None:
    """Keep since when the way back of this target is prepared; None when it is not."""
    target.rollback_ready_at = ready_at
    target.save(update_fields=["rollback_ready_at"])


def running_version(target: Target) -> Version | None:
    """What runs there as far as we know; None before the first arrival."""
    return Version(target.running_label, tuple(target.running_identities)) if target.running_identities else None


def previous_version(target: Target) -> Version | None:
    """What ran before, which PREVIOUS_RELEASE goes back to; None when there is nothing known."""
    return Version(target.previous_label, tuple(target.previous_identities)) if target.previous_identities else None


def _run(target: Target, version: Version, at: datetime) -> None:
    if target.running_identities != [*version.identities]:
        if not _was_left(target):
            target.previous_label, target.previous_identities = target.running_label, target.running_identities
        elif target.previous_identities == [*version.identities]:
            _go_past(target, version)
        target.running_since = at
    target.running_label, target.running_identities = version.label, [*version.identities]
    _save_versions(target)


def _was_left(target: Target) -> bool:
    """Whether what runs there failed and could not be taken away: it is no way back from what replaces it."""
    newest = Arrival.objects.filter(target=target, identities=target.running_identities).order_by("-at", "-pk").first()
    return newest is not None and newest.outcome == Outcome.LEFT


def _run_again(target: Target, version: Version, at: datetime) -> None:
    if target.running_identities != [*version.identities]:
        _go_past(target, version)
        target.running_since = at
    target.running_label, target.running_identities = version.label, [*version.identities]
    _save_versions(target)


def _go_past(target: Target, version: Version) -> None:
    """What was left is no way back, or the next rollback would return to the bad version: the one known good before it is."""
    known = Arrival.objects.filter(target=target, outcome__in=KNOWN_GOOD).exclude(identities=target.running_identities)
    before = known.exclude(identities=[*version.identities]).order_by("-at", "-pk").first()
    target.previous_label, target.previous_identities = (before.label, before.identities) if before else ("", [])


def _save_versions(target: Target) -> None:
    target.save(update_fields=["running_label", "running_identities", "running_since", "previous_label", "previous_identities"])


def _claim_service_slug(slug: str, of: Service | None) -> None:
    holder = Service.objects.filter(slug=slug).first() or _holder(ServiceAlias.objects.filter(slug=slug).first(), "service")
    _refuse_taken(slug, holder, of)


def _holder(alias: ServiceAlias | EnvironmentAlias | None, field: str) -> Service | Environment | None:
    return getattr(alias, field) if alias else None


def _refuse_taken(slug: str, holder: Service | Environment | None, of: Service | Environment | None) -> None:
    if holder is not None and holder != of:
        raise BadContent({"slug": [f"{slug} is or was the short name of {holder.name}. It is kept for that one; choose another."]})


def _named(target: Target) -> dict[str, str]:
    return {"service": target.service.name, "environment": target.environment.name}
