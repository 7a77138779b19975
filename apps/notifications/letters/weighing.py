"""What the sign-off page shows to weigh a change by, as sections of a mail: what one signs, risk, commits, evidence, failures, findings."""

from collections.abc import Iterable

from django.urls import reverse

from apps.approvals.facts import review_facts
from apps.approvals.rules import Seat, group_words, open_seats, seats_for
from apps.catalog.models import Arrival, Outcome
from apps.catalog.repositories.passage import MOST_BEHIND, Commit, Passage
from apps.changes.authors import persons_behind
from apps.changes.content import PARTS, Content
from apps.changes.evidence.kinds import Kind
from apps.changes.evidence.telling import summary_of
from apps.changes.facts import risk_now
from apps.changes.models import Change, EvidenceUpload, Leg
from apps.changes.readings import Gone, ways_of
from apps.gate.judgement import verdicts_for
from apps.gate.rules import Finding
from apps.notifications.letters.shape import Line, Reader, Section, address_of, joined, listing

MOST_COMMITS, MOST_FAILURES, MOST_FACTORS = 10, 5, 8
ABOUT_SIGNING = frozenset({"approval", "signature", "settings"})  # what a signature itself cures is no obstacle to it


def signing_section(change: Change, *, reader: Reader) -> Section:
    """As whom, by which rule, with which meaning and for which parts and places this person signs."""
    review, own = review_facts(change, now=reader.now), reader.person.public_id
    seats = open_seats(review, by=own) or seats_for(review, by=own)
    return listing("You sign", [_seat(seat) for seat in seats])


def _seat(seat: Seat) -> str:
    group = group_words(seat.rule.group, service=seat.leg.service)
    whom = f"in the place of {seat.stands_for.name}, {group}" if seat.stands_for else f"as {group}"
    parts = joined([part for part in PARTS if part in seat.rule.parts])
    return f"{whom} (“{seat.rule.label}”, {seat.rule.meaning.lower()} of {parts}) for {seat.leg.service} in {seat.leg.environment}"


def risk_section(content: Content, *, reader: Reader) -> Section:
    """The sum and what it is made of."""
    risk = risk_now(content, now=reader.now)
    factors = [f"+{one.points} {one.words}" for one in risk.factors[:MOST_FACTORS]]
    return listing("Risk", [f"{risk.points} points, {risk.level}", *factors])


def brings_section(change: Change, legs: Iterable[Leg]) -> Section:
    """The commits since what runs and who made them; their page has the rest."""
    lines: list[Line] = []
    for gone in ways_of(change, legs):
        lines += _way(gone)
    if lines:
        lines.append(Line("Every commit and file", "", address_of(reverse("home:sign_off", args=[change.ref]))))
    return Section("What it brings", tuple(lines))


def _way(gone: Gone) -> list[Line]:
    where, passage = joined(gone.places), gone.passage
    if passage is None:
        return [Line(where, "nobody has read the repository yet, or nobody could: its page says which commits these are")]
    if not passage.is_known:
        return [Line(where, f"what runs is not in the repository, so nobody can say what {passage.commit[:12]} adds to it")]
    more = "more than " if passage.has_more_commits else ""
    span = f"{passage.base[:12] or 'nothing'} → {passage.commit[:12]}"
    behind = f"; {_behind(passage.behind)}" if passage.behind else ""
    return [Line(where, f"{span}, commits: {more}{len(passage.commits)}, files: {len(passage.files)}{behind}"), *_commits(passage)]


def _behind(count: int) -> str:
    """How many commits that run there would be lost."""
    if count == 1:
        return "1 commit that runs there now is not in it"
    return f"{'more than ' if count > MOST_BEHIND else ''}{min(count, MOST_BEHIND)} commits that run there now are not in it"


def _commits(passage: Passage) -> list[Line]:
    shown = passage.commits[:MOST_COMMITS]
    known = persons_behind(hand for commit in shown for hand in commit.authors)
    left = len(passage.commits) - len(shown)
    return [_commit(one, {mail: person.name for mail, person in known.items()}) for one in shown] + (
        [Line("", f"and {left} more on its page")] if left else []
    )


def _commit(commit: Commit, known: dict[str, str]) -> Line:
    makers = joined([known.get(hand.mailbox) or f"{hand.name or hand.email} (not known here)" for hand in commit.authors])
    return Line(commit.id[:12], f"{commit.subject} · {makers}")


def evidence_section(change: Change, content: Content) -> Section:
    """What the plan names and what was shown for each place, counted where it was kept."""
    uploads = [*change.uploads.select_related("file", "leg__service", "leg__environment").order_by("at", "pk")]
    kept = {upload.file.sha256: upload for upload in uploads if upload.leg_id is None}
    named = [_piece(one.name, one.kind, one.sha256, kept.get(one.sha256)) for one in content.plan.evidence]
    placed = [
        f"{upload.leg.service.name} in {upload.leg.environment.name}: {_piece(upload.name, upload.file.kind.lower(), upload.file.sha256, upload)}"
        for upload in uploads
        if upload.leg is not None
    ]
    return listing("Evidence", named + placed)


def _piece(name: str, kind: str, sha256: str, upload: EvidenceUpload | None) -> str:
    told = summary_of(Kind(upload.file.kind), upload.file.counted) if upload else None
    return " · ".join(part for part in (name, told.word if told else kind, told.text if told else "", sha256[:16]) if part)


def failures_section(legs: Iterable[Leg], *, reader: Reader) -> Section:
    """The last arrivals of its services that did not go well, anywhere."""
    gone_wrong = {"target__service__in": {leg.service_id for leg in legs}, "outcome__in": [Outcome.FAILED, Outcome.ROLLED_BACK]}
    rows = Arrival.objects.filter(**gone_wrong).select_related("target__service", "target__environment").order_by("-at", "-pk")
    return listing("Last failures", [_failure(one, reader=reader) for one in rows[:MOST_FAILURES]])


def _failure(one: Arrival, *, reader: Reader) -> str:
    word = "rolled back to" if one.outcome == Outcome.ROLLED_BACK else "failed:"
    return f"{one.target.service.name} in {one.target.environment.name}: {word} {one.label}, {reader.moment(one.at)}"


def findings_section(legs: Iterable[Leg], *, reader: Reader) -> Section:
    """All that the gate finds now beside the signatures."""
    asked = [*legs]
    verdicts = verdicts_for(asked)
    return listing(
        "What the gate finds now",
        [
            f"{leg.service.name} in {leg.environment.name}: {_finding(one, reader=reader)}"
            for leg in asked
            for one in verdicts[leg.pk].findings
            if one.rule not in ABOUT_SIGNING
        ],
    )


def _finding(one: Finding, *, reader: Reader) -> str:
    until = f" Until {reader.moment(one.until)}." if one.until else ""
    return f"{one.effect.lower()}: {reader.told(' '.join(part for part in (one.message, one.cure) if part))}{until}"
