"""What hostile people, pipelines and repositories add to the town: documents by the verbs that make them, rows where none is."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import uuid4

from django.urls import reverse
from django.utils.html import escape

from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.approvals.actions import propose_policy, refuse_exception, review_exception, revise_change, withdraw_exception
from apps.approvals.policy_body import default_body
from apps.catalog.actions import lock_target
from apps.catalog.models import Target
from apps.catalog.repositories.passage import Commit, Hand, Passage, Touched, as_body
from apps.changes.actions import attach_evidence, comment_on_change, keep_draft_input, propose_change_model, withdraw_change
from apps.changes.content import Aspect, Content, Evidence, Plan, Rollback, Scope, Step, StepBy, Story, Strategy
from apps.changes.models import Change, Leg
from apps.changes.readings import ways_of
from apps.changes.states import Kind, State
from apps.changes.steps.evidence import Piece
from apps.deployments.states import State as DeploymentState
from apps.home.typed import body_of
from apps.incidents.actions import correct_timeline, note_on_timeline, open_incident
from tests.doors.hostile_words import Words
from tests.doors.town import Town
from tests.factories.accounts import MembershipFactory, make_person
from tests.factories.approvals import DoubtFactory, a_rule, approve, make_change, make_place, make_policy
from tests.factories.catalog import ArrivalFactory, EnvironmentFactory
from tests.factories.changes import OTHER_COMMIT, make_content, make_coverage, make_item, make_model, make_template
from tests.factories.deployments import LogChunkFactory, MeasurementFactory, a_check, make_deployment, make_site
from tests.factories.evidence import FailedReadingFactory, VersionReadingFactory
from tests.factories.exceptions import agreed, asked, leg_of
from tests.factories.gate import TrustFactory, body_for, post
from tests.factories.notifications import DigestFactory
from tests.factories.pipelines import PATH, Job, UndeclaredFactory

DAY = timedelta(days=1)
RUN = "https://ci.example.org/runs/7"
JUNIT = "<testsuite name='{0}' tests='{0}'><testcase classname='{0}' name='{0}'><failure message='{0}'>{0}</failure></testcase></testsuite>"


@dataclass
class Hostility:
    """Who writes what; `pages` are where it is read first."""

    town: Town
    words: Words
    pages: list[str]

    @property
    def chief(self) -> Person:
        """Who reads everything."""
        return self.town.people["chief"]

    @property
    def author(self) -> Person:
        """Who asks for changes."""
        return self.town.people["author"]

    @cached_property
    def owner(self) -> Person:
        """Who signs for others."""
        return make_person()

    def show(self, route: str, *parts: object) -> None:
        """Remember the page of something."""
        self.pages.append(reverse(route, args=parts))


def move_in(town: Town, words: Words) -> list[str]:
    """Add everything; the pages of it."""
    hostile = Hostility(town, words, [])
    add_changes(hostile)
    add_runs(hostile)
    add_pipeline(hostile)
    add_models_and_policies(hostile)
    add_places(hostile)
    add_incident(hostile)
    add_rows(hostile)
    return hostile.pages


def parts_of(words: Words, target: Target, *, name: str = "changes.Revision", commit: str = OTHER_COMMIT) -> dict[str, Any]:
    """The parts of a change with hostile words wherever words go."""
    item = make_item(target.service, (target.environment,), identities=(commit,), label=words.line("changes.Item.label"))
    evidence = Evidence(words.line(f"{name}.plan evidence"), "ab" * 32, words.line(f"{name}.plan kind"))
    reason, impact = words.text(f"{name}.scope reason"), words.text(f"{name}.scope impact")
    return both_ways(words, name) | {
        "scope": Scope(items=(item,), aspects=frozenset({Aspect.CODE}), reason=reason, impact=impact),
        "plan": Plan((step_of(words, f"{name}.plan"),), (evidence,)),
        "story": Story(
            words.hidden(f"{name}.story title"),
            (words.line(f"{name}.story label"),),
            (words.line(f"{name}.story told"),),
            words.text(f"{name}.story description"),
        ),
    }


def both_ways(words: Words, name: str) -> dict[str, Plan | Rollback]:
    """The way there and the way back."""
    said = {one: words.text(f"{name}.rollback {one}") for one in ("trigger", "data_strategy", "reason")}
    undone = (words.text(f"{name}.rollback irreversible"),)
    rollback = Rollback(Strategy.FIX_FORWARD, (step_of(words, f"{name}.rollback"),), irreversible=undone, **said)
    return {"plan": Plan((step_of(words, f"{name}.plan"),)), "rollback": rollback}


def step_of(words: Words, name: str) -> Step:
    """One step of either."""
    return Step(words.text(f"{name} step"), StepBy.PERSON, 60, words.text(f"{name} verify"))


def make_hostile(hostile: Hostility, state: State, *, name: str = "changes.Revision") -> Change:
    """A change that the chief is asked to agree to, or somebody called as hostile people are."""
    target = make_place(business=hostile.chief, technical=hostile.owner)
    change = make_change(state, targets=(target,), requester=hostile.author, **parts_of(hostile.words, target, name=name))
    hostile.show("home:change", change.ref)
    return change


def add_changes(hostile: Hostility) -> None:
    """Changes to decide on, to edit, to read again; what is said and shown about them."""
    words, by = hostile.words, hostile.author.actor
    waits, revised = make_hostile(hostile, State.IN_REVIEW), make_hostile(hostile, State.IN_REVIEW)
    signed, leg = approve(revised, hostile.owner), leg_of(revised)
    show_evidence(hostile, leg)
    revise_change(change_id=revised.pk, content=other_content(words, leg.target), by=by)
    for change in (waits, revised):
        hostile.show("home:sign_off", change.ref)
        hostile.show("home:edit_change", change.ref)
    hostile.show("home:given_sign_off", revised.ref, signed.public_id)
    comment_on_change(change_id=waits.pk, text=words.text("changes.Comment.text"), by=by)
    withdraw_change(change_id=make_hostile(hostile, State.DRAFT).pk, by=by, reason=words.text("audit.Detail.text"))
    decided = make_hostile(hostile, State.APPROVED)
    show_evidence(hostile, leg_of(decided))
    add_exceptions(hostile, decided)
    add_readings(hostile, leg_of(waits), leg_of(decided))
    typed = body_of({"title": [words.hidden("changes.DraftInput.body")], "reason": [words.text("changes.DraftInput.body")]})
    keep_draft_input(draft_id=uuid4(), body=typed, by=hostile.chief.actor)


def add_exceptions(hostile: Hostility, change: Change) -> None:
    """One that waits, one that was refused, one that was taken back and reviewed; for each of them why."""
    words, now, second = hostile.words, datetime.now(UTC), make_person(Role.RELEASE_MANAGER)
    said = words.text("approvals.LegException.reason")
    refused = asked(change, hostile.author, now=now, reason=said)
    refuse_exception(exception_id=refused.pk, by=second.actor, reason=words.text("approvals.LegException.end_reason"))
    reviewed = agreed(make_hostile(hostile, State.IN_REVIEW), hostile.author, second, now=now, reason=said)
    withdraw_exception(exception_id=reviewed.pk, by=hostile.author.actor)
    told = {one: words.text(f"approvals.LegException.{one}") for one in ("review", "prevention")}
    MembershipFactory(team=reviewed.team, person=second)  # who asked does not review where the team has anybody else
    review_exception(exception_id=reviewed.pk, by=second.actor, **told)
    waits = asked(change, hostile.author, now=now, reason=said)
    for one in (refused, reviewed, waits):
        hostile.show("home:exception", one.pk)


def other_content(words: Words, target: Target) -> Content:
    """The same change of another version, everything in it written anew."""
    return make_content(targets=(target,), **parts_of(words, target, name="changes.Revision again", commit="git:" + "ef" * 20))


def show_evidence(hostile: Hostility, leg: Leg) -> None:
    """A report whose tests have hostile names, and a link."""
    words, about = hostile.words, {"change_id": leg.change_id, "leg_id": leg.pk, "by": hostile.author.actor}
    report = JUNIT.format(escape(words.hidden("changes.EvidenceFile.counted"))).encode()
    upload, _ = attach_evidence(piece=Piece(words.line("changes.EvidenceUpload.name"), report), **about)
    attach_evidence(piece=Piece(words.line("changes.EvidenceUpload.name"), link=RUN), **about)
    hostile.show("home:evidence_file", upload.public_id)
    hostile.show("home:leg_evidence", leg.change.ref, leg.public_id)


def add_readings(hostile: Hostility, read: Leg, unread: Leg) -> None:
    """What a repository says, whose authors and files are called as their makers liked; and one that says nothing."""
    words, (known,), (unknown,) = hostile.words, ways_of(read.change), ways_of(unread.change)
    hand = Hand(words.hidden("changes.VersionReading.body author"), "mallory@example.org")
    made = Commit(known.way.commit, datetime.now(UTC), words.hidden("changes.VersionReading.body subject"), (hand,), hand)
    passage = Passage(known.way.base, known.way.commit, (made,), (Touched(words.hidden("changes.VersionReading.body path"), "M"),))
    for rows, leg, gone, more in (
        (VersionReadingFactory, read, known, {"body": as_body(passage)}),
        (FailedReadingFactory, unread, unknown, {}),
    ):
        about = {name: getattr(gone.way, name) for name in ("repository_id", "base", "commit")}
        rows(service=leg.service, **about, **more)


def add_runs(hostile: Hostility) -> None:
    """A deployment, and what its driver and its checks said."""
    words, now = hostile.words, datetime.now(UTC)
    made = make_deployment(target=make_site(), requester=hostile.author, label=words.line("deployments.Deployment.label"))
    LogChunkFactory(deployment=made, offset=10_000, text=words.text("deployments.LogChunk.text"))
    ArrivalFactory(target=made.target, at=now)
    hostile.show("deployments:deployment", made.pk)
    hostile.show("deployments:log", made.pk)


def add_pipeline(hostile: Hostility) -> None:
    """What CI calls itself when it asks, begins and reports; and a version that it saw where nobody brought it."""
    words = hostile.words
    job, run = (
        Job(name=words.line("gate.GateToken.name")),
        {"system": "github", "id": words.line("gate.Evaluation.question run"), "url": RUN},
    )
    answer = job.tickets(run=run)
    made = job.begin(answer["ticket"], run=run)
    reported = job.report("progress", message=words.line("deployments.Report.message"))
    said = {one: words.line(f"deployments.Undeclared.{one}") for one in ("label", "source")}
    seen = post(job.secret, f"{PATH}/observations", body_for(make_site(), "git:" + "ef" * 20, **said))
    assert (reported.status_code, seen.status_code) == (200, 200), (reported.content, seen.content)
    hostile.show("deployments:deployment", made.pk)
    hostile.show("home:gate_evaluation", answer["id"])


def add_models_and_policies(hostile: Hostility) -> None:
    """What administrators write, and what they propose."""
    words, outsider = hostile.words, make_person(Role.ADMINISTRATOR)
    place, rule = EnvironmentFactory(), a_rule(label=words.line("approvals.PolicyVersion.body label"))
    policy = make_policy(place, rule)
    later = {**default_body(), "rules": [a_rule(label=words.line("approvals.PolicyProposal.body label"))]}
    proposal = propose_policy(name=words.line("approvals.PolicyProposal.name"), environment_id=place.pk, document=later, by=outsider.actor)
    hostile.show("approvals:policy", policy.public_id)
    hostile.show("approvals:proposal", proposal.public_id)
    for name in ("changes.ChangeModelVersion.body", "changes.ChangeModelProposal.body"):
        parts = both_ways(words, name) | {"use": words.text(f"{name} use")}
        if name == "changes.ChangeModelVersion.body":
            model = make_model(slug="hostile", name=words.line("changes.ChangeModel.name"), **parts)
            hostile.show("home:change_model", model.slug)
        else:
            wanted = make_template(kind=Kind.STANDARD, coverage=make_coverage(Target.objects.earliest("pk")), **parts)
            asked_for = propose_change_model(slug="hostile-too", name="Hostile", template=wanted, by=outsider.actor)
            hostile.show("home:model_proposal", asked_for.public_id)


def add_places(hostile: Hostility) -> None:
    """A place with hostile checks, locked for a hostile reason."""
    words = hostile.words
    check = a_check(words.line("catalog.TargetSettings.body check")[:50], expect_text=words.line("catalog.TargetSettings.body expect"))
    target = make_site(check)
    lock_target(target.pk, reason=words.line("catalog.Target.lock_reason"), by=make_person(Role.OPERATOR).actor)
    hostile.show("catalog:target", target.service.slug, target.environment.slug)
    checked = make_deployment(DeploymentState.VERIFYING, target=make_site(check), requester=hostile.author)
    MeasurementFactory(deployment=checked, check_name=check["name"], number=50, value="1", said="It answers.")
    hostile.show("deployments:deployment", checked.pk)


def add_incident(hostile: Hostility) -> None:
    """Something went wrong, and its story is told twice."""
    words, by = hostile.words, make_person(Role.OPERATOR).actor
    incident = open_incident(make_site().pk, title=words.line("incidents.Incident.title"), by=by)
    note = note_on_timeline(incident.pk, text=words.text("incidents.TimelineEntry.text"), by=by)
    correct_timeline(note.pk, text=words.text("incidents.TimelineEntry.text"), by=by)
    hostile.show("incidents:incident", incident.pk)


def add_rows(hostile: Hostility) -> None:
    """Rows that only time brings."""
    DigestFactory(person=hostile.chief, queued_at=datetime.now(UTC), wake_at=datetime.now(UTC) + DAY)
    DoubtFactory(change=Change.objects.earliest("pk"))
    settled = UndeclaredFactory(target=make_site(), settled_at=datetime.now(UTC), settled_by="SYSTEM:test", outcome="EXPLAINED")
    hostile.show("deployments:undeclared_one", settled.pk)
    trust = TrustFactory(grant__name="CI of shop", owner="shop", refs=["refs/heads/main"], workflow="deploy.yml")
    hostile.show("home:trusts")
    hostile.show("home:trust", trust.grant.public_id)
