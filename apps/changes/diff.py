"""What differs between two contents, field by field, in words for people. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from itertools import zip_longest
from uuid import UUID

from apps.changes.content import Aspect, Content, Evidence, ItemContent, Period, Plan, Rollback, Scope, Step, Story, Strategy, normal
from apps.core.moments import span_words


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs; None stands for absent. `field` counts in the newer content, in the older for what is gone."""

    part: str
    field: str
    label: str
    old: str | None
    new: str | None


Pairs = Iterator[tuple[str, str, str | None, str | None]]


def differences(old: Content, new: Content) -> tuple[Difference, ...]:
    """Every field that differs, in the order of the parts."""
    old, new = normal(old), normal(new)
    parts = {
        "scope": _scope(old.scope, new.scope),
        "plan": _plan(old.plan, new.plan),
        "rollback": _rollback(old.rollback, new.rollback),
        "period": _period(old.period, new.period),
        "story": _story(old.story, new.story),
    }
    return tuple(
        Difference(part, f"{part}.{field}", label, was, now)
        for part, pairs in parts.items()
        for field, label, was, now in pairs
        if was != now
    )


def changed_parts(found: Iterable[Difference]) -> frozenset[str]:
    """The parts in which something differs."""
    return frozenset(difference.part for difference in found)


def _scope(old: Scope, new: Scope) -> Pairs:
    yield "reason", "Reason", old.reason, new.reason
    yield "impact", "What users notice", old.impact, new.impact
    yield "aspects", "What is touched", _aspects(old.aspects), _aspects(new.aspects)
    was = {item.service_id: (at, item) for at, item in enumerate(old.items)}
    for at, item in enumerate(new.items):
        before = was.pop(item.service_id, None)
        yield from _item(f"items.{at}", before[1] if before else None, item)
    for at, item in was.values():
        yield f"items.{at}", item.service_name, _item_words(item), None
    both = {item.service_id for item in old.items} & {item.service_id for item in new.items}
    names = {item.service_id: item.service_name for item in new.items if item.service_id in both}
    yield "items", "Order of services", _order(old, names), _order(new, names)


def _item(field: str, old: ItemContent | None, new: ItemContent) -> Pairs:
    name = new.service_name
    if old is None:
        yield field, name, None, _item_words(new)
        return
    yield f"{field}.service", "Service", old.service_name, name
    yield f"{field}.label", f"{name}: version", old.label, new.label
    yield f"{field}.identities", f"{name}: identities", "\n".join(old.identities), "\n".join(new.identities)
    yield f"{field}.repository", f"{name}: repository", old.repository, new.repository
    same_names = [each.name for each in old.environments] == [each.name for each in new.environments]
    yield f"{field}.environments", f"{name}: environments", _places(old, by_id=same_names), _places(new, by_id=same_names)


def _item_words(item: ItemContent) -> str:
    where = ", ".join(each.name for each in item.environments)
    return f"{item.label} to {where}" if where else item.label


def _places(item: ItemContent, *, by_id: bool) -> str:
    """The environments by name; where the names do not tell them apart, by name and id."""
    return "\n".join(f"{each.name} ({each.id})" if by_id else each.name for each in item.environments)


def _order(scope: Scope, names: Mapping[UUID, str]) -> str:
    """The services both hold: added and removed ones have rows of their own. Two of one name are told apart by id."""
    by_id = len(set(names.values())) < len(names)
    kept = [item.service_id for item in scope.items if item.service_id in names]
    return "\n".join(f"{names[key]} ({key})" if by_id else names[key] for key in kept)


def _aspects(aspects: frozenset[Aspect]) -> str:
    return ", ".join(sorted(aspect.value.lower() for aspect in aspects))


def _plan(old: Plan, new: Plan) -> Pairs:
    yield from _steps("Step", old.steps, new.steps)
    was, now = {each: at for at, each in enumerate(old.evidence)}, {each: at for at, each in enumerate(new.evidence)}
    for each, at in was.items():
        if each not in now:
            yield f"evidence.{at}", f"Evidence {each.name}", _evidence(each), None
    for each, at in now.items():
        if each not in was:
            yield f"evidence.{at}", f"Evidence {each.name}", None, _evidence(each)


def _evidence(evidence: Evidence) -> str:
    return f"{evidence.kind} sha256:{evidence.sha256}".strip()


def _steps(word: str, old: tuple[Step, ...], new: tuple[Step, ...]) -> Pairs:
    """Steps that kept their text are compared field by field; the others are gone, new or rewritten."""
    matcher = SequenceMatcher(a=[step.what for step in old], b=[step.what for step in new], autojunk=False)
    for _, was_from, was_to, now_from, now_to in matcher.get_opcodes():
        for offset in range(max(was_to - was_from, now_to - now_from)):
            was, now = was_from + offset, now_from + offset
            if was < was_to and now < now_to:
                yield from _step(f"steps.{now}", f"{word} {now + 1}", old[was], new[now])
            elif was < was_to:
                yield f"steps.{was}", f"{word} {was + 1}", _step_words(old[was]), None
            else:
                yield f"steps.{now}", f"{word} {now + 1}", None, _step_words(new[now])


def _step(field: str, label: str, old: Step, new: Step) -> Pairs:
    yield f"{field}.what", f"{label}: what", old.what, new.what
    yield f"{field}.by", f"{label}: by", old.by.value.lower(), new.by.value.lower()
    yield f"{field}.expected_seconds", f"{label}: expected time", _span(old.expected_seconds), _span(new.expected_seconds)
    yield f"{field}.verify", f"{label}: proof", old.verify, new.verify


def _step_words(step: Step) -> str:
    seconds = f", {_span(step.expected_seconds)}" if step.expected_seconds is not None else ""
    proof = f"\nProof: {step.verify}" if step.verify else ""
    return f"{step.what} ({step.by.value.lower()}{seconds}){proof}"


def _rollback(old: Rollback, new: Rollback) -> Pairs:
    yield "strategy", "Strategy", _strategy(old.strategy), _strategy(new.strategy)
    yield from _steps("Rollback step", old.steps, new.steps)
    yield "trigger", "Go back when", old.trigger, new.trigger
    yield "seconds_to_restore", "Time to restore", _span(old.seconds_to_restore), _span(new.seconds_to_restore)
    for at, (was, now) in enumerate(zip_longest(old.irreversible, new.irreversible)):
        yield f"irreversible.{at}", f"Cannot be undone, {at + 1}", was, now
    yield "data_strategy", "What happens to data", old.data_strategy, new.data_strategy
    yield "reason", "Reason for this way back", old.reason, new.reason
    yield "point_of_no_return", "No way back after step", _number(old.point_of_no_return), _number(new.point_of_no_return)


def _period(old: Period, new: Period) -> Pairs:
    yield "not_before", "Not before", _moment(old.not_before), _moment(new.not_before)
    yield "not_after", "Not after", _moment(old.not_after), _moment(new.not_after)
    yield "zone", "Time zone", old.zone, new.zone


def _story(old: Story, new: Story) -> Pairs:
    yield "title", "Title", old.title, new.title
    yield "description", "Description", old.description, new.description
    yield "labels", "Labels", "\n".join(old.labels), "\n".join(new.labels)
    yield "told", "Who is told", "\n".join(old.told), "\n".join(new.told)


def _strategy(strategy: Strategy | None) -> str | None:
    return strategy.value.lower().replace("_", " ") if strategy else None


def _span(seconds: int | None) -> str | None:
    return None if seconds is None else span_words(seconds, parts=4)


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
