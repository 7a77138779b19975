"""The steps about agreement: who may sign, what an edit lapses, what a moved slot does not."""

from datetime import UTC, datetime, timedelta

from apps.approvals.facts import review_facts
from apps.approvals.rules import quorum
from changecontrol.demo.asking import STEPS, content
from changecontrol.demo.house import Character
from changecontrol.demo.stage import Stage
from changecontrol.demo.telling import act, must, say
from changecontrol.demo.times import local


def rule_states(stage: Stage, label: str) -> dict[str, str]:
    """Where each rule of production stands, as the page and the gate compute it."""
    legs = review_facts(stage.change(label)).legs
    answers = [quorum(leg) for leg in legs if leg.required == "APPROVED"]
    return {rule.rule.label: str(rule.state) for answer in answers for rule in answer.rules}


def sign(stage: Stage, who: Character, label: str, *, reason: str = "") -> str:
    """Open the sign-off page, read it, read the statement, sign it with the password; returns what the page said before."""
    path = f"/changes/{stage.changes[label]}/sign-off/"
    with stage.visitor(who) as visitor:
        shown = visitor.open(path).text
        statement = visitor.send(path, {"decision": "APPROVE", "reason": reason}, form=f"{path}statement/")
        must(f"I, {who.name}, " in statement.text, f"{who.name} reads the exact statement before anything is signed")
        visitor.fill(statement, {"password": who.password}, form=path)
        must(
            visitor.status == 200 and visitor.url.endswith(f"/changes/{stage.changes[label]}/"), f"{who.name} signs {stage.changes[label]}"
        )
    return shown


def nobody_approves_their_own(stage: Stage) -> None:
    """The requester is refused; the business owner and the release manager agree."""
    ref = stage.changes["2.0"]
    act(3, "Nobody approves their own change")
    say(f"Devi asked for {ref}. She opens its sign-off page all the same, and sends a decision past the disabled button.")
    with stage.visitor(stage.house.devi) as visitor:
        page = visitor.post(
            f"/changes/{ref}/sign-off/statement/", {"decision": "APPROVE", "reason": "", "revision_digest": stage.revision_digest("2.0")}
        )
        must(
            visitor.status in {403, 409} and "cannot sign" in page.text, f"the answer is {visitor.status}, with the words the button shows"
        )
    must("AGREED" not in rule_states(stage, "2.0").values(), "nothing was signed")
    say("This production asks for one business owner and one release manager. Bram and Rosa read and sign.")
    sign(stage, stage.house.bram, "2.0")
    must(stage.change("2.0").state == "IN_REVIEW", "one of two rules is met: the change is still in review")
    sign(stage, stage.house.rosa, "2.0")
    must(stage.change("2.0").state == "APPROVED", f"both rules are met by two people: {ref} is approved")


def an_edit_lapses_what_it_touches(stage: Stage) -> None:
    """The business owner's sign-off covered the plan, the release manager's did not."""
    ref = stage.changes["2.0"]
    act(4, "An edit lapses what it touches, and nothing else")
    say("Devi adds a step to the plan. Bram's signature covered scope, plan, rollback and period; Rosa's covered scope and period.")
    plan = content(stage, "2.0", steps=(*STEPS, "Look at the board in both ports"))["plan"]
    stage.developer.ask("POST", f"/changes/{ref}/revisions", {"plan": plan}, expect=201)
    states = rule_states(stage, "2.0")
    must(states["Business owners"] == "LAPSED", "Bram's sign-off lapsed")
    must(states["Release management"] == "AGREED", "Rosa's stands")
    must(stage.change("2.0").state == "IN_REVIEW", f"{ref} is in review again")
    shown = sign(stage, stage.house.bram, "2.0")
    must("Look at the board in both ports" in shown and "Re-affirm" in shown, "Bram saw the one difference and re-affirmed in one step")
    must(stage.change("2.0").state == "APPROVED", f"{ref} is approved again")
    move_the_slot(stage)


def move_the_slot(stage: Stage) -> None:
    """The slot is outside the signature."""
    say("Rosa plans production two hours from now, then moves it to this very minute. Both lie inside the period that was signed.")
    leg, minute = stage.leg("2.0", "production"), datetime.now(UTC).replace(second=0, microsecond=0)
    path = f"/changes/{stage.changes['2.0']}/"
    with stage.visitor(stage.house.rosa) as visitor:
        for start in (minute + timedelta(hours=2), minute):
            visitor.send(
                path, {"starts_at": local(start), "ends_at": local(start + timedelta(hours=1))}, form=f"{path}legs/{leg.public_id}/slot/"
            )
            must(visitor.status == 200, f"the slot is {local(start)[-5:]} to {local(start + timedelta(hours=1))[-5:]} in Berlin")
    must(set(rule_states(stage, "2.0").values()) == {"AGREED"} and stage.change("2.0").state == "APPROVED", "nothing lapsed")
