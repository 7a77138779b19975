"""A change's content in plain words: the five parts as the change page and the sign-off page show them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from apps.changes.content import Aspect, Content, ItemContent, Step, StepBy, Strategy
from apps.changes.mentions import Called
from apps.changes.models import Leg
from apps.core.moments import full_words

WAYS = {
    Strategy.PREVIOUS_RELEASE: "Back to the previous release",
    Strategy.TRAFFIC_SWITCH: "Traffic is switched back",
    Strategy.REVERT_COMMIT: "The commit is reverted and deployed again",
    Strategy.RESTORE_BACKUP: "A backup is restored",
    Strategy.FIX_FORWARD: "There is no way back: it is fixed forward",
}
ASPECT_ICONS = {
    Aspect.CODE: "code",
    Aspect.CONFIGURATION: "adjustments-horizontal",
    Aspect.RUNTIME: "cpu",
    Aspect.INFRASTRUCTURE: "server",
    Aspect.DATA: "database",
}
KINDS = {"git": "Commit", "sha256": "Artifact", "config": "Configuration"}
NOTHING, GIT = "nothing", "git:"


@dataclass(frozen=True, slots=True)
class Passage:
    """One service from the version it replaces to the one asked for, where both are the same in several environments."""

    service: str
    environments: str
    was: str
    label: str
    diff_url: str = ""  # where the repository shows the difference itself


@dataclass(frozen=True, slots=True)
class Told:
    """The five parts, ready to be read."""

    content: Content
    passages: list[Passage]
    aspects: list[tuple[str, str]]  # word, icon
    untouched: str
    identities: list[tuple[str, str, str]]  # kind, value, what was written for it
    plan: list[dict[str, object]]
    way_back: str
    way_back_seconds: int
    way_back_steps: list[dict[str, object]]
    by_itself: bool
    irreversible: str
    point_of_no_return: int | None
    period: str
    by_hand: tuple[str, ...] = ()  # of those who are told, whom nobody here is called


def told_content(content: Content, *, legs: Iterable[Leg], called: Called | None = None) -> Told:
    """The content in words; `legs` say what they replace, CALLED whom we tell ourselves."""
    rollback, touched, legs = content.rollback, content.scope.aspects, [*legs]
    asked = {(leg.service.public_id, tuple(leg.item.identities)): leg.item.asked_as for leg in legs}
    return Told(
        content=content,
        passages=passages(legs),
        aspects=[(aspect.value.lower(), icon) for aspect, icon in ASPECT_ICONS.items() if aspect in touched],
        untouched=", ".join(aspect.value.lower() for aspect in ASPECT_ICONS if aspect not in touched).capitalize(),
        identities=[
            line
            for item in content.scope.items
            for line in identities(item, many=len(content.scope.items) > 1, asked_as=asked.get((item.service_id, item.identities), ""))
        ],
        plan=step_rows(content.plan.steps),
        way_back=WAYS[rollback.strategy] if rollback.strategy else "",
        way_back_seconds=rollback.way_back_seconds,
        way_back_steps=step_rows(rollback.steps),
        by_itself=rollback.runs_by_itself,
        irreversible="\n".join(rollback.irreversible),
        point_of_no_return=rollback.point_of_no_return,
        period=period_words(content.period.not_before, content.period.not_after, zone=content.period.zone),
        by_hand=tuple(word for word in content.story.told if called.is_nobody(word)) if called else (),
    )


def passages(legs: Iterable[Leg]) -> list[Passage]:
    """Service by service, what it replaces and what is asked for; environments where both are the same are named together."""
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for leg in legs:
        key = (leg.service.name, leg.before["label"] or NOTHING, leg.item.label, diff_url(leg))
        found.setdefault(key, []).append(leg.environment.name)
    return [Passage(service, listed(places), was, label, url) for (service, was, label, url), places in found.items()]


def diff_url(leg: Leg) -> str:
    """The page on which the repository's own host shows what differs; empty where one of both commits or the host is not known."""
    repository = leg.service.repository
    was, now = (next((one.removeprefix(GIT) for one in side if one.startswith(GIT)), "") for side in _sides(leg))
    if not (was and now and was != now and repository.startswith("https://")):
        return ""
    return f"{repository.removesuffix('/').removesuffix('.git')}/compare/{was}...{now}"


def _sides(leg: Leg) -> tuple[list[str], list[str]]:
    return [*leg.before["identities"]], [*leg.item.identities]


def listed(words: list[str]) -> str:
    """`staging and production`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def identities(item: ItemContent, *, many: bool, asked_as: str) -> list[tuple[str, str, str]]:
    """What machines compare, by kind, and beside a commit what was written for it; the service is named where there are several."""
    of = f" of {item.service_name}" if many else ""
    pairs = (text.partition(":") for text in item.identities)
    return [(f"{KINDS.get(kind, kind)}{of}", value, asked_as if f"{kind}:" == GIT else "") for kind, _, value in pairs]


def step_rows(steps: Iterable[Step]) -> list[dict[str, object]]:
    """Steps in the shape of the plan component."""
    return [
        {
            "what": step.what,
            "who": "automatic" if step.by is StepBy.AUTOMATION else "a person",
            "seconds": step.expected_seconds,
            "proof": step.verify,
        }
        for step in steps
    ]


def period_words(not_before: datetime | None, not_after: datetime, *, zone: str) -> str:
    """When the change is authorised, in the zone it was written in."""
    place = ZoneInfo(zone)
    begins = f"Not before {full_words(not_before, zone=place)}, not" if not_before else "From now on, not"
    place_name = "" if zone == "UTC" else f", {zone}"  # the moment itself already says UTC
    return f"{begins} after {full_words(not_after, zone=place)}{place_name}."
