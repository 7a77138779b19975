"""What a mail gives to weigh a change by: what one signs, risk, commits, evidence, failures, findings; and what a digest says of it."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from apps.approvals.actions import give_delegation
from apps.catalog.models import Outcome
from apps.catalog.repositories.passage import Hand, as_body
from apps.changes.facts import current_legs
from apps.changes.readings import way_of
from apps.changes.states import State as ChangeState
from apps.notifications.kinds import Kind, Timing
from apps.notifications.letters import write_mail
from apps.notifications.letters.rendering import text_of
from apps.notifications.letters.shape import Letter, Line, Reader, Section, joined
from apps.notifications.models import Delivery
from apps.notifications.states import State
from tests.factories.accounts import make_person
from tests.factories.approvals import approve, make_change, make_place
from tests.factories.catalog import ArrivalFactory
from tests.factories.evidence import VersionReadingFactory, make_passage
from tests.factories.notifications import DigestFactory, follow_all, told
from tests.factories.schedule import SlotFactory
from tests.notifications.test_letters import DAY, letter, now, owner, pytestmark, requester

__all__ = ["owner", "pytestmark", "requester"]


def part(body: str, title: str) -> str:
    """One section of a mail as text."""
    return body.split(f"\n{title.upper()}\n", 1)[1].split("\n\n", 1)[0]


def letter_of(person) -> str:
    follow_all()
    return letter(person, Kind.SIGN_OFF_ASKED).body


def ask(owner, requester):
    return make_change(ChangeState.IN_REVIEW, targets=(make_place(business=owner),), requester=requester, now=now() - timedelta(minutes=1))


def test_mail_says_as_whom_by_which_rule_and_for_which_parts_one_signs(owner, requester):
    change = ask(owner, requester)
    leg = change.legs.get()

    said = part(letter_of(owner), "You sign")

    assert f"as owner of {leg.service.name} (“" in said
    assert "approval of scope, plan, rollback and period) for " in said
    assert f"for {leg.service.name} in {leg.environment.name}" in said


def test_stand_in_reads_in_whose_place_they_sign(owner, requester):
    stan = make_person(name="Stan")
    give_delegation(delegate_id=stan.pk, starts_at=now(), ends_at=now() + DAY, by=owner.actor)
    ask(owner, requester)

    said = part(letter_of(stan), "You sign")
    assert "in the place of Olga Owner, owner of " in said
    assert "as in the place" not in said


def test_reader_is_told_the_moments_of_rules_in_their_own_zone():
    reader = Reader(make_person(time_zone="Europe/Berlin"), datetime(2026, 11, 21, tzinfo=UTC))

    assert reader.told("CHG-5 is planned for Mon 23 Nov 2026, 09:00 UTC. Wait.") == "CHG-5 is planned for Mon 23 Nov 2026, 10:00 CET. Wait."


def test_mail_holds_risk_commits_failures_and_findings(owner, requester):
    change = ask(owner, requester)
    leg = current_legs(change).select_related("target").get()
    way = way_of(leg)
    assert way is not None
    passage = make_passage(way.base, way.commit, Hand("Ann Author", "ann@example.org"))
    VersionReadingFactory(service=leg.service, base=way.base, commit=way.commit, repository_id=way.repository_id, body=as_body(passage))
    ArrivalFactory(target=leg.target, label="3.16.9", outcome=Outcome.FAILED, at=now() - DAY)

    body = letter_of(owner)

    assert re.search(r"\d+ points, ", part(body, "Risk"))
    brought = part(body, "What it brings")
    assert "commits: " in brought
    assert "Change 1 · Ann Author (not known here)" in brought
    assert f"/changes/{change.ref}/sign-off/" in brought
    assert "failed: 3.16.9" in part(body, "Last failures")
    assert body.index("RISK") < body.index("WHO AGREES")


def test_mail_says_that_nobody_has_read_the_commits_yet(owner, requester):
    ask(owner, requester)

    assert "nobody has read the repository yet" in part(letter_of(owner), "What it brings")


@pytest.mark.parametrize(
    ("behind", "said"),
    [
        (0, None),
        (1, "; 1 commit that runs there now is not in it"),
        (2, "; 2 commits that run there now are not in it"),
        (1001, "; more than 1000 commits that run there now are not in it"),
    ],
)
def test_mail_says_how_many_commits_would_be_lost(owner, requester, behind, said):
    change = ask(owner, requester)
    leg = current_legs(change).select_related("target").get()
    way = way_of(leg)
    assert way is not None
    passage = replace(make_passage(way.base, way.commit, Hand("Ann Author", "ann@example.org")), behind=behind)
    VersionReadingFactory(service=leg.service, base=way.base, commit=way.commit, repository_id=way.repository_id, body=as_body(passage))

    brought = " ".join(part(letter_of(owner), "What it brings").split())

    assert (said in brought) if said else "not in it" not in brought


def test_words_are_joined():
    assert (joined([]), joined(["a"]), joined(["a", "b", "c"])) == ("", "a", "a, b and c")


def test_line_with_an_address_keeps_its_words():
    said = text_of(
        Letter("S", "L", "C", "u", "w", "b", sections=(Section("T", (Line("N", "words", "http://x/"), Line("M", "", "http://y/"))),))
    )

    assert "  N\n    words\n    http://x/\n  M\n    http://y/" in said


def test_digest_lists_what_waits_now_with_what_it_is(owner, requester):
    told_before = ask(owner, requester)
    gone = ask(owner, requester)
    follow_all()
    Delivery.objects.filter(person=owner).update(state=State.SENT, ended_at=now())
    approve(gone, owner, now=now())
    leg = told_before.legs.get()
    SlotFactory(leg=leg, starts_at=now() + DAY, ends_at=now() + 2 * DAY)
    third = ask(owner, requester)
    follow_all()
    digest = DigestFactory(person=owner)
    told(owner, Kind.SIGN_OFF_ASKED)
    Delivery.objects.filter(person=owner, subject=str(third.reference)).update(timing=Timing.DIGEST, digest=digest)

    written = write_mail(digest, now=now())

    assert written.message is not None
    said = part(written.message.body, "Waits for you")
    assert told_before.ref in said
    assert third.ref in said
    assert gone.ref not in said
    assert f"{leg.service.name} in {leg.environment.name} 3.17.0 → 3.18.1 · planned for " in said
    assert "risk " in said
    assert "2 waiting for you" in written.message.subject
