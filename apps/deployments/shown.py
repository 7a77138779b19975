"""What the pages of deployments show, prepared from rows; templates only place it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from apps.accounts import access as accounts
from apps.accounts.models import Person
from apps.audit.names import read_actor
from apps.audit.sentences import actor_name
from apps.changes.access import changes_for
from apps.changes.models import Change
from apps.core.actors import Actor, ActorKind
from apps.core.references import Reference
from apps.core.refusals import Refusal
from apps.deployments.facts import CheckStanding, Exposure, check_standings, exposure, log_text, settings_of
from apps.deployments.models import Deployment, Measurement, Pipeline, Report
from apps.deployments.plots import Plot, plot_of
from apps.deployments.refusals import abort_refusal, roll_back_refusal, settle_refusal
from apps.deployments.rules.verdicts import Answer, Sample
from apps.deployments.states import State
from apps.gate.models import GateToken

LOG_LINES = 200
LOG_TAIL = 40_000
REPORTS = 50
GRANTS = frozenset({ActorKind.TOKEN, ActorKind.WORKLOAD})  # pipelines: both are rows of one table
LINE = re.compile(r"(\d\d:\d\d:\d\d) (.*)", re.DOTALL)
# What a line is about decides how it stands out; everything else is plain output.
KINDS = (
    ("read back", "is-good"),
    ("release ", "is-good"),
    ("switch current", "is-wave"),
    ("asked the target", "is-us"),
    ("failed", "is-cut"),
    ("The log is capped", "is-cut"),
)
ANSWERS = {
    Answer.PASS: ("go", "check", "{passes} of {taken} pass"),
    Answer.WAITING: ("ink", "progress", "{taken} of {count} taken"),
    Answer.INCONCLUSIVE: ("unknown", "help-hexagon", "{taken} of {count}: no answer"),
    Answer.FAIL: ("stop", "x", "{bad} of {taken} fail"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log."""

    at: str
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class CheckShown:
    """One check with what is known of it."""

    name: str
    tone: str
    icon: str
    word: str
    rule: str
    last: str
    said: str
    plot: Plot | None


@dataclass(frozen=True, slots=True)
class WayBack:
    """What the side column says about undoing it."""

    refusal: Refusal | None
    to: str
    seconds: int
    reach: tuple[datetime | timedelta, ...]  # the beginning, then deploy, bake, way back
    closes_at: datetime | None


def log_lines(deployment: Deployment) -> tuple[list[Line], bool]:
    """The last lines of the log, and whether there are more before them."""
    text = log_text(deployment, last=LOG_TAIL)
    lines = [_line(line) for line in text.splitlines()]
    return lines[-LOG_LINES:], len(lines) > LOG_LINES or len(text) == LOG_TAIL


def _line(text: str) -> Line:
    match = LINE.fullmatch(text)
    at, said = (match[1], match[2]) if match else ("", text)
    return Line(at, said, next((kind for start, kind in KINDS if said.startswith(start)), ""))


def checks_shown(deployment: Deployment) -> list[CheckShown]:
    """Every check with its count, its last answer and its curve."""
    rows = list(Measurement.objects.filter(deployment=deployment).order_by("check_name", "number"))
    return [_check(standing, [row for row in rows if row.check_name == standing.check.name]) for standing in check_standings(deployment)]


def _check(standing: CheckStanding, rows: list[Measurement]) -> CheckShown:
    check = standing.check
    tone, icon, word = ANSWERS[standing.answer]
    passes, taken = sum(sample is Sample.PASS for sample in standing.samples), len(standing.samples)
    said = word.format(passes=passes, taken=taken, bad=taken - passes, count=check.count) if taken else "not asked yet"
    last = rows[-1] if rows else None
    borne = f"bears {check.failure_limit} failures" if check.failure_limit else "bears no failure"
    rule = f"{check.source}, every {check.interval_seconds} s, {check.count} times, {borne}"
    return CheckShown(
        name=check.name,
        tone=tone,
        icon=icon,
        word=said,
        rule=rule if check.critical else f"{rule}; only tells",
        last=last.value if last else "",
        said=last.said if last else f"Asks {check.url}",
        plot=plot_of([(row.value, row.verdict == Sample.PASS) for row in rows]),
    )


def way_back(deployment: Deployment, *, by: Actor) -> WayBack:
    """What undoing it would do, and why not."""
    settings = settings_of(deployment)
    spans = tuple(timedelta(seconds=each) for each in (settings.deploy_seconds, settings.bake_seconds, deployment.way_back_seconds))
    closes_at = None
    if deployment.state == State.SUCCEEDED and deployment.ended_at:
        closes_at = deployment.ended_at + spans[1] + spans[2]
    elif deployment.begun_at and not deployment.is_final:
        closes_at = deployment.begun_at + sum(spans, timedelta())
    return WayBack(
        refusal=roll_back_refusal(deployment, by=by),
        to=deployment.previous_label if deployment.previous_identities else "",
        seconds=deployment.way_back_seconds,
        reach=(deployment.begun_at, *spans) if deployment.begun_at and not deployment.is_final else (),
        closes_at=closes_at,
    )


def actor_names(texts: set[str]) -> dict[str, str]:
    """Who stands behind `x_by` columns, as people say it: persons, and pipelines by the name of their token or trust."""
    actors = {text: read_actor(text) for text in texts if text}
    named = {Reference("person", str(actor.person_id)) for actor in actors.values() if actor.person_id}
    names = {str(name): said for name, said in accounts.names_of(named).items()}
    if grants := {actor.id: actor.kind for actor in actors.values() if actor.kind in GRANTS}:
        rows = GateToken.objects.filter(public_id__in=grants).values_list("public_id", "name")
        names |= {f"{grants[str(pk)].value.lower()}:{pk}": name for pk, name in rows}
    return {text: actor_name(actor, lambda name: names.get(name, "somebody")) for text, actor in actors.items()}


def exposure_shown(deployment: Deployment) -> Exposure | None:
    """How long a bad version was seen, in whole seconds: less than one is still one."""
    found = exposure(deployment)
    return found and Exposure(*(timedelta(seconds=ceil(span.total_seconds())) for span in (found.seen, found.way_back)))


def live_context(deployment: Deployment) -> dict[str, Any]:
    """What changes while it runs."""
    lines, is_cut = log_lines(deployment)
    moves = list(deployment.moves.order_by("seq"))
    names = actor_names({move.by for move in moves})
    undone_by = Deployment.objects.filter(undoes=deployment).first()
    return {
        "deployment": deployment,
        "moves": [(move, names[move.by]) for move in moves],
        "checks": checks_shown(deployment),
        "lines": lines,
        "is_cut": is_cut,
        "reports": list(Report.objects.filter(deployment=deployment).order_by("-at", "-pk")[:REPORTS]) if deployment.is_external else [],
        "exposure": exposure_shown(deployment),
        "undone_by": undone_by,
        "is_live": is_moving(deployment) or (undone_by is not None and is_moving(undone_by)),  # its end says how long users saw this one
    }


def is_moving(deployment: Deployment) -> bool:
    """Whether it changes without anybody doing anything."""
    return not deployment.is_final and not deployment.waits_for_person


def seen_changes(person: Person, deployments: Iterable[Deployment]) -> dict[int, Change]:
    """The change each was ordered for, where this person may see it: it may hold another service that is not theirs to see."""
    asked = {row.pk: row.leg.change for row in deployments if row.leg is not None}
    seen = set(changes_for(person).filter(pk__in={change.pk for change in asked.values()}).values_list("pk", flat=True))
    return {number: change for number, change in asked.items() if change.pk in seen}


def page_context(deployment: Deployment, person: Person) -> dict[str, Any]:
    """Everything the page shows to one person."""
    by = person.actor
    settings = settings_of(deployment)
    names = actor_names({deployment.ordered_by})
    return live_context(deployment) | {
        "change": seen_changes(person, [deployment]).get(deployment.pk),
        "ordered_by": names[deployment.ordered_by],
        "settings_read": settings,
        "way_back": way_back(deployment, by=by),
        "pipeline": Pipeline.objects.filter(deployment=deployment).first() if deployment.is_external else None,
        "stop_refusal": abort_refusal(deployment, by=by),
        "settle_refusal": settle_refusal(deployment, by=by),
        "expected": timedelta(seconds=settings.deploy_seconds),
    }
