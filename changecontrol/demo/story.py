"""The story in ten steps. Each step tells what happens and then asks the running system whether it did."""

import time
from pathlib import Path

from changecontrol.demo import agreeing, asking, deploying, proving
from changecontrol.demo.api import Machine
from changecontrol.demo.house import build
from changecontrol.demo.places import SITES, free_port
from changecontrol.demo.repository import build as build_repository
from changecontrol.demo.stage import Stage
from changecontrol.demo.telling import paint, say

RUNGS = ("staging", "production")


def play(base: str, *, home: Path) -> None:
    """Play everything; raises NotSo at the first step that does not happen."""
    began = time.monotonic()
    stage = set_the_stage(base, home)
    asking.nobody_asked(stage)
    asking.a_change_needs_a_way_back(stage)
    agreeing.nobody_approves_their_own(stage)
    agreeing.an_edit_lapses_what_it_touches(stage)
    asking.a_freeze_is_a_wall(stage)
    deploying.staging_then_production(stage)
    deploying.the_bad_one_is_rolled_back(stage)
    proving.an_incident_opened_by_itself(stage)
    deploying.one_worker_and_no_broker(stage)
    proving.the_stream_can_be_proved(stage)
    finish(stage, seconds=time.monotonic() - began)


def set_the_stage(base: str, home: Path) -> Stage:
    """People, two services, three environments, a repository, and release 1.0 running in staging and production."""
    say("Saltmarsh Ferries sets up Change Control. Departures board is a real web application in a real git repository.")
    releases = build_repository(home / "repository")
    places = {rung: home / SITES / rung for rung in RUNGS}
    ports = {rung: free_port() for rung in RUNGS}
    for rung, place in places.items():
        (place / "shared" / "data").mkdir(parents=True)
        if rung == "staging":  # the file somebody laid there by hand, and only there
            (place / "shared" / "data" / "departures.txt").write_text("06:30 Saltmarsh, quay 2\n07:15 Northholm, quay 1\n")
    house = build(base, repository=home / "repository", places=places, ports=ports)
    stage = Stage(
        base,
        home,
        house,
        {release.label: release for release in releases},
        Machine(base, house.devi.token),
        Machine(base, house.gate_token),
    )
    deploying.first_release(stage)
    return stage


def finish(stage: Stage, *, seconds: float) -> None:
    """Where to look, and as whom."""
    print(f"\n{paint('The story is over.', '1;32')} Every step happened; it took {seconds:.0f} s.")
    print(
        f"\n  {stage.base}    production: http://127.0.0.1:{stage.house.ports['production']}/    staging: http://127.0.0.1:{stage.house.ports['staging']}/\n"
    )
    for one in stage.house.people:
        print(
            f"  {one.email:<20} {one.password:<16} {one.name}, {', '.join(role.lower().replace('_', ' ') for role in one.roles) or 'business owner'}"
        )
    print(flush=True)
