"""From what an API caller sent to a change's content: names become rows, parts that were not sent stay as they are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from apps.accounts.models import Person
from apps.catalog.access import services_for
from apps.catalog.models import Environment, Service
from apps.changes.access import change_models, changes_for
from apps.changes.content import (
    Aspect,
    Content,
    EnvironmentRef,
    Evidence,
    ItemContent,
    Period,
    Plan,
    Rollback,
    Scope,
    Step,
    StepBy,
    Story,
    Strategy,
    default_period,
)
from apps.changes.content.templates import read_template
from apps.changes.models import Change, ChangeModelVersion
from apps.changes.states import Kind
from apps.changes.steps.models import kind_of
from apps.core.references import parse_number
from apps.core.refusals import BadContent
from apps.home.facts.version import commit_of, with_aspects

GIT = "git:"

Given = Mapping[str, Any]


def new_content(given: Given, *, person: Person, now: datetime, version: ChangeModelVersion | None = None) -> Content:
    """The content of a new change; parts that are not given are those of the model. Raises BadContent for unknown names."""
    empty = Content(Scope(), Plan(), Rollback(), default_period(now=now), Story(title=""))
    if version is not None:
        says = read_template(bytes(version.body))
        empty = Content(says.scope, says.plan, says.rollback, default_period(now=now, days=says.days), says.story)
    return edited_content(empty, given, person=person)


def named_model(name: str) -> ChangeModelVersion | None:
    """The version in force of the model that is named; raises BadContent where there is none."""
    found = change_models().filter(slug=name).first() if name and "\x00" not in name else None
    if name and found is None:
        raise BadContent({"model": ["No change model is called that. Give the short name of one that is offered."]})
    return found.version if found else None


def check_kind(kind: str | None, *, version: ChangeModelVersion | None) -> None:
    """With a model the kind is the model's to say, and nobody claims STANDARD without one; raises BadContent."""
    made = kind_of(version)
    if version is not None and kind not in {None, made}:
        raise BadContent({"kind": [f"Changes from this model are {made}. Leave the kind out, or name another model."]})
    if version is None and kind == Kind.STANDARD:
        raise BadContent(
            {"kind": ["A STANDARD change begins from a change model of that kind. Name one in `model`, or leave the kind out."]}
        )


def named_changes(refs: Iterable[str], *, person: Person) -> list[Change]:
    """The changes that go first; raises BadContent where one is not there, or not for this person to see."""
    wanted = {text: parse_number(text, prefix="CHG") for text in refs}
    found = {change.pk: change for change in changes_for(person).filter(pk__in=[pk for pk in wanted.values() if pk])}
    if missing := [text for text, pk in wanted.items() if pk not in found]:
        raise BadContent({"needs": [f"There is no {', '.join(missing)} that you may see."]})
    return [*found.values()]


def edited_content(old: Content, given: Given, *, person: Person) -> Content:
    """The old content with the parts that were sent in place of its own; raises BadContent."""
    parts: dict[str, Any] = {}
    if "scope" in given:
        known = frozenset(text for item in old.scope.items for text in item.identities)
        parts["scope"] = _scope(given["scope"], person, known=known)
    if "plan" in given:
        parts["plan"] = Plan(steps=_steps(given["plan"]["steps"]), evidence=tuple(Evidence(**one) for one in given["plan"]["evidence"]))
    if "rollback" in given:
        parts["rollback"] = _rollback(given["rollback"])
    if "period" in given:
        parts["period"] = Period(**given["period"])
    if "story" in given:
        story = given["story"]
        parts["story"] = Story(story["title"], tuple(story["labels"]), tuple(story["told"]), story["description"])
    content = titled(replace(old, **parts))
    if "scope" not in parts:
        return content
    named = services_for(person).filter(public_id__in={item.service_id for item in content.scope.items})
    return with_aspects(content, services={service.public_id: service for service in named})


def titled(content: Content) -> Content:
    """With a title: where none was given, the services and their versions, as the form has it."""
    if content.story.title.strip():
        return content
    title = " and ".join(f"{item.service_name} {item.label}".strip() for item in content.scope.items)[:200]
    return replace(content, story=replace(content.story, title=title))


def _rollback(given: Given) -> Rollback:
    return Rollback(
        **{
            **given,
            "strategy": Strategy(given["strategy"]) if given["strategy"] else None,
            "steps": _steps(given["steps"]),
            "irreversible": tuple(given["irreversible"]),
        }
    )


def _steps(given: Iterable[Given]) -> tuple[Step, ...]:
    return tuple(Step(**{**step, "by": StepBy(step["by"])}) for step in given)


def _scope(given: Given, person: Person, *, known: frozenset[str]) -> Scope:
    items = given["items"]
    services = _by_name(services_for(person), {item["service"] for item in items})
    environments = _by_name(Environment.objects.all(), {name for item in items for name in item["environments"]})
    rows = Rows(services, environments, known)
    read = tuple(_item(f"scope.items.{at}", item, rows) for at, item in enumerate(items))
    aspects = frozenset(Aspect(aspect) for aspect in given["aspects"])
    return Scope(items=read, aspects=aspects, reason=given["reason"], impact=given["impact"])


@dataclass(frozen=True, slots=True)
class Rows:
    """What names lead to, and the identities that the change has already."""

    services: Mapping[str, Service]
    environments: Mapping[str, Environment]
    known: frozenset[str]


def _item(field: str, given: Given, rows: Rows) -> ItemContent:
    service, environments = rows.services.get(given["service"]), rows.environments
    if service is None:
        raise BadContent({f"{field}.service": [f"No service is called {given['service']}. Give its short name or its id."]})
    unknown = [name for name in given["environments"] if name not in environments]
    if unknown:
        raise BadContent({f"{field}.environments": [f"No environment is called {', '.join(unknown)}. Give short names or ids."]})
    named = {environments[name].public_id: environments[name].name for name in given["environments"]}
    return ItemContent(
        service_id=service.public_id,
        service_name=service.name,
        label=given["label"],
        identities=tuple(_identity(f"{field}.identities", text, service, known=rows.known) for text in given["identities"]),
        repository=service.repository_id,
        environments=tuple(EnvironmentRef(public_id, name) for public_id, name in named.items()),
    )


def _identity(field: str, text: str, service: Service, *, known: frozenset[str]) -> str:
    """An identity; a branch, a tag or a short id becomes the commit that it names now, and a commit is one of the repository."""
    if not service.repository or not text.startswith(GIT) or text in known:
        return text
    try:
        return GIT + commit_of(service, text.removeprefix(GIT), sent={})
    except BadContent as error:
        raise BadContent({field: [said for sentences in error.errors.values() for said in sentences]}) from error


def _by_name(rows: QuerySet[Any], names: set[str]) -> dict[str, Any]:
    """Rows by the name the caller used: a short name, one of the old ones, or the id."""
    ids = {name: public_id for name in names if (public_id := _as_id(name))}
    found = rows.filter(Q(slug__in=names) | Q(aliases__slug__in=names) | Q(public_id__in=ids.values())).distinct()
    known: dict[str, Any] = {}
    for row in found.prefetch_related("aliases"):
        known |= {alias.slug: row for alias in row.aliases.all()} | {row.slug: row}
        known |= {name: row for name, public_id in ids.items() if row.public_id == public_id}
    return known


def _as_id(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None
