"""The steps that prove: the incident that opened by itself, and the stream that shows every tampering."""

import subprocess
import sys
from pathlib import Path

from django.conf import settings

from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.deployments.models import Deployment
from apps.incidents.models import Incident
from changecontrol.demo.stage import Stage
from changecontrol.demo.telling import NotSo, act, must, quote, say, wait_for
from changecontrol.demo.visitor import Page

LATEST_SECONDS = 2.0


def an_incident_opened_by_itself(stage: Stage) -> None:
    """Within two seconds of the rollback, with everything from the request to the recovery on its timeline."""
    act(8, "An incident opened by itself")
    bad = stage.deployment_of("3.0", "production")
    if bad is None:
        raise NotSo("nobody deployed 3.0")
    incident = wait_for(lambda: Incident.objects.order_by("-pk").first(), what="An incident", seconds=10)
    rollback = Deployment.objects.get(undoes=bad)
    ordered = next(entry for entry in entries_about(rollback.reference, limit=50) if entry.event is Event.ROLLBACK_ORDERED)
    late = (incident.opened_at - ordered.at).total_seconds()
    must(0 <= late <= LATEST_SECONDS, f"{incident.ref} opened {late:.2f} s after the rollback was ordered")
    wait_for(lambda: Incident.objects.filter(pk=incident.pk, state="RECOVERED").first(), what="The recovery", seconds=10)
    with stage.visitor(stage.house.olaf) as visitor:
        page = visitor.open(f"/incidents/{incident.pk}/")
        quote(page.text[page.text.find(incident.title) :][:280])
    for word in (bad.ref, rollback.ref):
        must(word in page.text, f"its page tells of {word}")
    tells_in_order(page, told_of(stage, incident))
    beside = page.text[page.text.find("Arrived before it") :]
    must(beside.startswith("Arrived before it Departures board 3.0 production"), "3.0 in production stands first of what arrived before it")


def told_of(stage: Stage, incident: Incident) -> tuple[str, ...]:
    """What its timeline must say, from the request to the recovery."""
    change = stage.changes["3.0"]
    return (
        f"submitted {change}",
        f"{change} is approved",
        "3.0 arrived at Departures board in production",
        f"opened {incident.ref}",
        f"{incident.ref} recovered",
    )


def tells_in_order(page: Page, sayings: tuple[str, ...]) -> None:
    """Each of these stands on the page, behind the one before."""
    at = page.text.find("Timeline")
    for saying in sayings:
        at = page.text.find(saying, at + 1)
        must(at > 0, f"its timeline says, in this order: “{saying}”")


def the_stream_can_be_proved(stage: Stage) -> None:
    """The verifier says what it can prove, and names the first bad entry of a tampered copy."""
    act(10, "The stream can be proved")
    export = stage.home / "audit.jsonl"
    run("manage.py", "export_audit", "--to", str(export))
    verifier = str(Path(settings.BASE_DIR) / "apps" / "audit" / "verifier.py")
    good = run(verifier, str(export))
    quote(good.stdout)
    must(good.returncode == 0 and "verified to position" in good.stdout, "the verifier, one file without Django, says how far it can vouch")
    bad_copy = stage.home / "audit-tampered.jsonl"
    position = tamper(export, bad_copy)
    bad = run(verifier, str(bad_copy), expect=1)
    quote(bad.stdout or bad.stderr)
    must(
        str(position) in bad.stdout + bad.stderr,
        f"in a copy the approval at position {position} became a rejection; the verifier names it",
    )
    say("It does not say that nothing was left out at the end: for that, anchor the export somewhere else.")


def tamper(export: Path, copy: Path) -> int:
    """Turn an approval into a rejection in a copy; returns the position of that entry."""
    lines = export.read_bytes().splitlines(keepends=True)
    entries = [at for at, line in enumerate(lines) if b'"event":"' in line and b'"subject":"' in line]
    approved = next(at for at in entries if b'"event":"change.approved"' in lines[at])
    lines[approved] = lines[approved].replace(b'"event":"change.approved"', b'"event":"change.rejected"')
    copy.write_bytes(b"".join(lines))
    return entries.index(approved) + 1


def run(*words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a Python program as a person would on the host."""
    done = subprocess.run([sys.executable, *words], cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)
    if done.returncode != expect:
        raise NotSo(f"{words[0]} ended with {done.returncode}, not {expect}: {done.stdout}{done.stderr}")
    return done
