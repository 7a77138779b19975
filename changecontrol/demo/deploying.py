"""The steps that deploy: release 1.0 before the story, 2.0 through the ladder, 3.0 and its way back, 4.0 without a broker."""

from apps.deployments.facts import exposure
from apps.deployments.lease import claim
from apps.deployments.models import Deployment
from apps.deployments.runner.stepping import work
from apps.deployments.states import FINAL
from apps.schedule.models import Hold
from changecontrol.celery import app as celery_app
from changecontrol.demo.agreeing import sign
from changecontrol.demo.asking import ask_for, declare_freeze, lift_freeze
from changecontrol.demo.house import Character
from changecontrol.demo.stage import Stage
from changecontrol.demo.telling import NotSo, act, must, quote, say, wait_for


def order(stage: Stage, who: Character, label: str, rung: str) -> Deployment:
    """Press the button on the change page."""
    leg, path = stage.leg(label, rung), f"/changes/{stage.changes[label]}/"
    before = Deployment.objects.filter(leg=leg).count()
    with stage.visitor(who) as visitor:
        page = visitor.send(path, {}, form=f"/deployments/orders/{leg.public_id}/")
        if Deployment.objects.filter(leg=leg).count() == before:
            raise NotSo(f"{who.name} orders {label} to {rung}, and the page says: {page.text[:400]}")
    found = stage.deployment_of(label, rung)
    assert found is not None  # noqa: S101 - counted just above
    return found


def bring(stage: Stage, label: str, rung: str) -> Deployment:
    """Order a release to a rung and wait for its end."""
    deployment = stage.ended(order(stage, stage.house.olaf, label, rung))
    must(
        deployment.state == "SUCCEEDED" and stage.served(rung) == stage.releases[label].commit,
        f"{deployment.ref}: {rung} serves {label}, read back from the application",
    )
    return deployment


def first_release(stage: Stage) -> None:
    """The first deployment has nothing to go back to: fix forward."""
    say("A first deployment has nothing to go back to, so 1.0 went out with a written way to fix forward.")
    ask_for(stage, "1.0", strategy="FIX_FORWARD")
    sign(stage, stage.house.bram, "1.0")
    sign(stage, stage.house.rosa, "1.0")
    for rung in ("staging", "production"):
        bring(stage, "1.0", rung)


def staging_then_production(stage: Stage) -> None:
    """Workers deploy, checks pass, the target shows what runs and what ran before."""
    act(6, "A worker deploys 2.0 to staging, then to production")
    bring(stage, "2.0", "staging")
    bring(stage, "2.0", "production")
    target = stage.house.targets["production"]
    target.refresh_from_db()
    must((target.running_label, target.previous_label) == ("2.0", "1.0"), "the target says: 2.0 runs, 1.0 ran before")
    with stage.visitor(stage.house.bram) as visitor:
        must("2.0" in visitor.open("/where/").text, "“What runs where” shows it to everybody")
    must(stage.change("2.0").outcome == "SUCCESSFUL", f"{stage.changes['2.0']} is successful, computed from its legs")


def the_bad_one_is_rolled_back(stage: Stage) -> None:
    """Release 3.0 passes in staging, answers 500 in production, and is undone by nobody's hand."""
    act(7, "3.0 is bad, and is rolled back by itself")
    ask_for(stage, "3.0")
    sign(stage, stage.house.bram, "3.0")
    sign(stage, stage.house.rosa, "3.0")
    bring(stage, "3.0", "staging")
    say("Production does not have the file that somebody laid into staging by hand. 3.0 starts there, then answers 500.")
    deployment = stage.ended(order(stage, stage.house.olaf, "3.0", "production"))
    must(deployment.state == "FAILED", f"{deployment.ref} failed: {deployment.failure}")
    rollback = wait_for(lambda: Deployment.objects.filter(undoes=deployment).first(), what="A rollback")
    rollback = stage.ended(rollback)
    must(
        rollback.state == "SUCCEEDED" and rollback.ordered_by.startswith("SYSTEM:"),
        f"{rollback.ref} undid it, ordered by the system itself",
    )
    must(stage.served("production") == stage.releases["2.0"].commit, "production serves 2.0 again, read back from the application")
    deployment.refresh_from_db()
    seen = exposure(deployment)
    if seen is None:
        raise NotSo("nobody knows how long users saw 3.0")
    quote(f"Users saw 3.0 for {seen.seen.total_seconds():.1f} s. The way back took {seen.way_back.total_seconds():.1f} s.")
    must(stage.leg("3.0", "production").state == "ROLLED_BACK", f"{stage.changes['3.0']} says so for production, and done for staging")


def one_worker_and_no_broker(stage: Stage) -> None:
    """The lease refuses a second worker; an order survives the loss of every message."""
    act(9, "One worker at a time, and no message that matters")
    hold = Hold.objects.get(lifted_at__isnull=True)
    say(
        f"After a rollback the target is on hold: “{hold.reason}” Olaf lifts it. Devi asks for 4.0, which reads the board from the release again."
    )
    with stage.visitor(stage.house.olaf) as visitor:
        visitor.send(f"/calendar/holds/{hold.public_id}/lifting/", {"reason": "4.0 does not read the shared folder."})
    ask_for(stage, "4.0")
    sign(stage, stage.house.bram, "4.0")
    sign(stage, stage.house.rosa, "4.0")
    deployment = order(stage, stage.house.olaf, "4.0", "staging")
    must(second_worker_is_refused(deployment), f"a second worker claims {deployment.ref} while it runs, and the lease refuses it")
    deployment = stage.ended(deployment)
    must(deployment.state == "SUCCEEDED", f"{deployment.ref}: staging serves 4.0")
    rule = declare_freeze(stage, "Evening departures")
    waiting = order(stage, stage.house.olaf, "4.0", "production")
    wait_for(lambda: waits_for(waiting, rule.title) or None, what=f"A worker that looks at {waiting.ref}")
    quote(waiting.waits_for)
    must(waiting.state == "QUEUED", f"{waiting.ref} waits, and says that it is for “{rule.title}”")
    held, left = empty_the_broker()
    must(held and not left, f"the broker held {held} keys and is emptied: {left} are left, and no message about the order")
    must(
        waits_for(waiting, rule.title), f"{waiting.ref} waits as before. Beat's next tick writes to the broker again; the freeze is lifted"
    )
    lift_freeze(stage, rule)
    waiting = stage.ended(waiting)
    must(
        waiting.state == "SUCCEEDED" and stage.served("production") == stage.releases["4.0"].commit,
        f"{waiting.ref} ran all the same: production serves 4.0",
    )


def waits_for(deployment: Deployment, name: str) -> bool:
    """Whether a worker has looked at the order and left it in the queue because of this."""
    deployment.refresh_from_db()
    return deployment.state == "QUEUED" and name in deployment.waits_for


def empty_the_broker() -> tuple[int, int]:
    """How many keys there were, and how many right after; in one transaction, for beat adds some each second."""
    with celery_app.connection_for_write() as broker:
        client = broker.default_channel.client  # type: ignore[attr-defined]  # a Redis channel of kombu has one
        held, _, left = client.pipeline(transaction=True).dbsize().flushall().dbsize().execute()
    return int(held), int(left)


def second_worker_is_refused(deployment: Deployment) -> bool:
    """Claim it in the very moment somebody else holds it; a claim that was had all the same does its step, as any worker would."""

    def held_by() -> tuple[str, int] | None:
        deployment.refresh_from_db()
        return (deployment.holder, deployment.attempt) if deployment.lease_expires_at else None

    def look() -> bool | None:
        before = held_by()
        if before is None:
            return False if deployment.state in FINAL else None
        lease = claim(deployment.pk, holder="second worker")
        if lease is not None:
            work(lease)
            return None
        return True if held_by() == before else None

    return wait_for(look, what="A refused claim", per_second=500)
