"""The steps that ask: the gate about a commit nobody requested, for changes, and in front of a freeze."""

from datetime import UTC, datetime, timedelta
from typing import Any

from apps.schedule.models import CalendarRule
from changecontrol.demo.api import question
from changecontrol.demo.stage import Stage
from changecontrol.demo.telling import NotSo, act, must, quote, say
from changecontrol.demo.times import local

STEPS = ("Deploy to staging, look at the board", "Deploy to production")
STORIES = {
    "1.0": ("Put the departures board online", "The old board is switched off at the end of the month."),
    "2.0": ("Show the quay beside each departure", "Travellers miss ferries because they wait at the wrong quay."),
    "3.0": ("Read the board from the shared folder", "The port office wants to edit departures without a release."),
    "4.0": ("Read the board from the release again", "The shared folder of production was empty; Northholm moves to quay 3."),
}
WAY_BACK = {
    "strategy": "PREVIOUS_RELEASE",
    "steps": [
        {"what": "Switch back to the release before and restart", "by": "AUTOMATION", "expected_seconds": 10, "verify": "/version names it"}
    ],
    "trigger": "the board does not answer",
    "seconds_to_restore": 10,
}
FORWARD = {
    "strategy": "FIX_FORWARD",
    "steps": [{"what": "Repair the board and release it again", "by": "PERSON", "expected_seconds": 3600, "verify": "The board answers"}],
    "reason": "Nothing runs yet. If the board fails, the old one stays on the wall until it is fixed.",
    "seconds_to_restore": 3600,
}


def content(stage: Stage, label: str, *, steps: tuple[str, ...] = STEPS, rollback: dict[str, Any] | None = None) -> dict[str, Any]:
    """What Devi writes about a release."""
    title, reason = STORIES[label]
    item = {
        "service": "departures",
        "label": label,
        "identities": [f"git:{stage.releases[label].commit}"],
        "environments": ["staging", "production"],
    }
    found: dict[str, Any] = {
        "scope": {"items": [item], "aspects": ["CODE"], "reason": reason, "impact": "The board looks different."},
        "plan": {"steps": [{"what": what, "by": "AUTOMATION", "verify": "The board answers"} for what in steps]},
        "story": {"title": title, "told": ["port offices"]},
    }
    return found if rollback is None else found | {"rollback": rollback}


def ask_for(stage: Stage, label: str, *, strategy: str = "PREVIOUS_RELEASE") -> str:
    """Create and submit a change with a script's two calls."""
    made = stage.developer.ask(
        "POST", "/changes", content(stage, label, rollback=FORWARD if strategy == "FIX_FORWARD" else WAY_BACK), expect=201
    )
    stage.changes[label] = str(made["ref"])
    stage.developer.ask("POST", f"/changes/{made['ref']}/submission")
    must(stage.change(label).state == "IN_REVIEW", f"Devi asks for {label}: {made['ref']} is in review")
    return str(made["ref"])


def told(answer: dict[str, Any]) -> None:
    """What the gate says, in its own words."""
    quote(f"{answer['verdict']}")
    for finding in answer["findings"]:
        quote(f"{finding['message']} {finding.get('cure', '')}")


def nobody_asked(stage: Stage) -> None:
    """A commit without a change is denied, and the denial says what would help."""
    act(1, "CI asks about a commit that nobody requested")
    say("The pipeline built 2.0 and asks the gate whether it may go to production.")
    answer = stage.pipeline.ask("POST", "/gate/evaluations", question("production", stage.releases["2.0"].commit))
    told(answer)
    must(answer["verdict"] == "DENY", "the gate says no")
    must(
        not answer["final"] and any(finding.get("cure") for finding in answer["findings"]),
        "it is not final, and the answer says what would cure it",
    )
    must(not answer.get("ticket"), "there is no ticket")


def a_change_needs_a_way_back(stage: Stage) -> None:
    """Submitted without a rollback plan, the change is refused and the field is named."""
    act(2, "Devi requests the change")
    made = stage.developer.ask("POST", "/changes", content(stage, "2.0"), expect=201)
    stage.changes["2.0"] = ref = str(made["ref"])
    say(f"She describes {ref} and submits it without saying how to get back.")
    problem = stage.developer.ask("POST", f"/changes/{ref}/submission", expect=422)
    fields = {error["field"]: error["message"] for error in problem["errors"]}
    quote(f"rollback.strategy: {fields.get('rollback.strategy', '')}")
    must("rollback.strategy" in fields, "it is refused, and the answer names the field")
    stage.developer.ask("POST", f"/changes/{ref}/revisions", {"rollback": WAY_BACK}, expect=201)
    stage.developer.ask("POST", f"/changes/{ref}/submission")
    must(stage.change("2.0").state == "IN_REVIEW", f"with the way back written, {ref} is in review")


def declare_freeze(stage: Stage, title: str) -> CalendarRule:
    """Rosa freezes everything for two hours, on the page."""
    start = datetime.now(UTC).replace(second=0, microsecond=0)
    fields = {
        "title": title,
        "reason": "The evening boats leave.",
        "scope": "EVERYTHING:",
        "starts_at": local(start),
        "ends_at": local(start + timedelta(hours=2)),
    }
    with stage.visitor(stage.house.rosa) as visitor:
        page = visitor.send("/calendar/freezes/new/", {**fields, "time_zone": "Europe/Berlin"}, form="/calendar/freezes/new/")
    rule = CalendarRule.objects.filter(title=title, lifted_at__isnull=True).first()
    if rule is None:
        raise NotSo(f"the freeze was not declared; the page says: {page.text[:400]}")
    return rule


def lift_freeze(stage: Stage, rule: CalendarRule) -> None:
    """Rosa lifts it, on the page."""
    with stage.visitor(stage.house.rosa) as visitor:
        visitor.send("/calendar/", {}, form=f"/calendar/freezes/{rule.public_id}/lifting/")
    rule.refresh_from_db()
    must(rule.lifted_at, "Rosa lifts the freeze")


def a_freeze_is_a_wall(stage: Stage) -> None:
    """PENDING with the moment it ends; lifted, ALLOW with a ticket."""
    act(5, "A freeze is a wall, not a picture")
    rule = declare_freeze(stage, "Easter departures")
    say("Rosa freezes everything for two hours. The pipeline asks whether 2.0 may go to staging.")
    asked = question("staging", stage.releases["2.0"].commit)
    answer = stage.pipeline.ask("POST", "/gate/evaluations", asked)
    told(answer)
    must(answer["verdict"] == "PENDING", "the gate says not yet")
    must(
        answer["earliest"] and datetime.fromisoformat(answer["earliest"]) == rule.live_until,
        f"and names the moment it ends: {answer['earliest']}",
    )
    lift_freeze(stage, rule)
    answer = stage.pipeline.ask("POST", "/gate/evaluations", asked)
    must(answer["verdict"] == "ALLOW" and answer["ticket"], "now it says yes, and hands out a signed ticket")
