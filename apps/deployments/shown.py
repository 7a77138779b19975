"""What the pages of deployments show, prepared from rows; templates only place it."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apps.accounts import access as accounts
from apps.accounts.models import Person
from apps.audit.names import read_actor
from apps.audit.sentences import actor_name
from apps.core.actors import Actor
from apps.core.references import Reference
from apps.core.refusals import Refusal
from apps.deployments.facts import CheckStanding, check_standings, exposure, log_text, settings_of
from apps.deployments.models import Deployment, Measurement
from apps.deployments.plots import Plot, plot_of
from apps.deployments.refusals import abort_refusal, roll_back_refusal, settle_refusal
from apps.deployments.rules.verdicts import Answer, Sample
from apps.deployments.states import State

LOG_LINES = 200
LOG_TAIL = 40_000
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
    Answer.PASS: ("go", "check", "pass"),
    Answer.WAITING: ("ink", "progress", "so far"),
    Answer.INCONCLUSIVE: ("unknown", "help-hexagon", "cannot tell"),
    Answer.FAIL: ("stop", "x", "pass: fails"),
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
    reach: tuple[datetime, timedelta, timedelta, timedelta] | None
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
    passes = sum(sample is Sample.PASS for sample in standing.samples)
    said = f"{passes} of {len(standing.samples)} {word}" if standing.samples else "not asked yet"
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
    seconds = [settings.deploy_seconds, settings.bake_seconds, deployment.way_back_seconds]
    spans = tuple(timedelta(seconds=each) for each in seconds)
    began, ended = deployment.begun_at, deployment.ended_at
    if ended is not None and began is not None:
        spans = (ended - began, *spans[1:])
    return WayBack(
        refusal=roll_back_refusal(deployment, by=by),
        to=deployment.previous_label if deployment.previous_identities else "",
        seconds=deployment.way_back_seconds,
        reach=(began, *spans) if began and deployment.state not in {State.FAILED, State.ABORTED} else None,  # type: ignore[arg-type]  # three spans
        closes_at=began + sum(spans, timedelta()) if began else None,
    )


def actor_names(texts: set[str]) -> dict[str, str]:
    """Who stands behind `x_by` columns, as people say it."""
    actors = {text: read_actor(text) for text in texts if text}
    named = {Reference("person", str(actor.person_id)) for actor in actors.values() if actor.person_id}
    names = {str(name): said for name, said in accounts.names_of(named).items()}
    return {text: actor_name(actor, lambda name: names.get(name, "somebody")) for text, actor in actors.items()}


def live_context(deployment: Deployment) -> dict[str, Any]:
    """What changes while it runs."""
    lines, is_cut = log_lines(deployment)
    moves = list(deployment.moves.order_by("seq"))
    names = actor_names({move.by for move in moves})
    return {
        "deployment": deployment,
        "moves": [(move, names[move.by]) for move in moves],
        "checks": checks_shown(deployment),
        "lines": lines,
        "is_cut": is_cut,
        "exposure": exposure(deployment),
        "undone_by": Deployment.objects.filter(undoes=deployment).first(),
        "is_live": not deployment.is_final and deployment.state != State.NEEDS_HUMAN,
    }


def page_context(deployment: Deployment, person: Person) -> dict[str, Any]:
    """Everything the page shows to one person."""
    by = person.actor
    settings = settings_of(deployment)
    names = actor_names({deployment.ordered_by})
    return live_context(deployment) | {
        "ordered_by": names[deployment.ordered_by],
        "settings_read": settings,
        "way_back": way_back(deployment, by=by),
        "stop_refusal": abort_refusal(deployment, by=by),
        "settle_refusal": settle_refusal(deployment, by=by),
        "expected": timedelta(seconds=settings.deploy_seconds),
    }
