"""Who is told what: every event that tells, everybody around it, each for one reason."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.accounts.roles import Role
from apps.approvals.actions import revise_change, send_back_change, submit_change, withdraw_sign_off
from apps.catalog.models import ChangeRequired
from apps.changes.actions import comment_on_change, withdraw_change
from apps.changes.content import Story
from apps.changes.facts import content_of
from apps.changes.models import Change, Watch
from apps.changes.states import State
from apps.deployments.states import State as DeploymentState
from apps.incidents.actions import open_incident
from apps.notifications.kinds import Kind, Relation, Timing
from apps.notifications.models import Delivery
from apps.notifications.states import State as MailState
from tests.factories import changes as drafts
from tests.factories.accounts import MembershipFactory, RoleGrantFactory, TeamFactory, make_person
from tests.factories.approvals import a_rule, approve, make_change, make_place, make_policy, newest
from tests.factories.catalog import EnvironmentFactory, OwnershipFactory, make_service, make_target
from tests.factories.deployments import make_deployment, make_site
from tests.factories.notifications import follow_all, told
from tests.factories.proving import approve_change, reject_change

pytestmark = pytest.mark.django_db
SOON = timedelta(minutes=1)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def owner():
    return make_person(name="Olga Owner")


@pytest.fixture
def requester():
    return make_person(Role.REQUESTER, name="Rita Requester")


@pytest.fixture
def asked(owner, requester) -> Change:
    """A change that waits for its owner."""
    return make_change(State.IN_REVIEW, targets=(make_place(business=owner),), requester=requester, now=now() - SOON)


def kinds(person) -> list[str]:
    return [row.kind for row in told(person)]


def edited(change: Change, *, by, **parts) -> None:
    content = content_of(newest(change))
    scope = parts.get("scope") or content.scope
    revise_change(
        change_id=change.pk, content=content.__class__(scope, content.plan, content.rollback, content.period, content.story), by=by.actor
    )


def other_reason(change: Change, *, by, reason: str = "Visitors also give up on the way back.") -> None:
    content = content_of(newest(change))
    scope = content.scope.__class__(content.scope.items, content.scope.aspects, reason, content.scope.impact)
    edited(change, by=by, scope=scope)


def test_submission_asks_whoever_must_agree_and_nobody_else(asked, owner, requester):
    follow_all()

    (delivery,) = told(owner)
    assert (delivery.kind, delivery.relation, delivery.timing) == (Kind.SIGN_OFF_ASKED, Relation.ASKED, Timing.NOW)
    assert (delivery.subject, delivery.thread, delivery.state) == (str(asked.reference), str(asked.reference), MailState.QUEUED)
    assert not told(requester)
    assert Delivery.objects.count() == 1


def test_following_twice_tells_once(asked, owner):
    follow_all()
    follow_all()

    assert kinds(owner) == [Kind.SIGN_OFF_ASKED]


def test_edit_of_what_nobody_signed_asks_nobody_again(asked, owner, requester):
    follow_all()
    other_reason(asked, by=requester)

    follow_all()

    assert kinds(owner) == [Kind.SIGN_OFF_ASKED]


def test_edit_of_what_was_signed_tells_the_signer_to_re_affirm(asked, owner, requester):
    follow_all()
    approve(asked, owner, now=now())
    other_reason(asked, by=requester)

    follow_all()

    assert kinds(owner) == [Kind.SIGN_OFF_ASKED, Kind.SIGN_OFF_LAPSED]
    assert told(owner)[1].relation == Relation.SIGNER


def test_withdrawn_sign_off_asks_the_others_again_and_tells_the_requester(asked, owner, requester):
    other = make_person(name="Otto Other")
    OwnershipFactory(service=asked.items.get().service, person=other, kind="BUSINESS")
    follow_all()
    sign_off = approve(asked, owner, now=now())
    follow_all()
    withdraw_sign_off(sign_off_id=sign_off.pk, by=owner.actor)

    follow_all()

    assert kinds(other).count(Kind.SIGN_OFF_ASKED) == 1, "what was asked before still waits to be sent: one mail"
    Delivery.objects.filter(person=other).update(state=MailState.SENT, ended_at=now())
    newer = approve(asked, owner, now=now())
    withdraw_sign_off(sign_off_id=newer.pk, by=owner.actor)
    follow_all()
    assert kinds(other).count(Kind.SIGN_OFF_ASKED) == 2
    assert told(requester, Kind.CHANGE_DECIDED)


def test_next_stage_is_asked_when_it_opens(requester):
    first, second = make_person(name="First"), make_person(name="Second")
    environment = EnvironmentFactory(change_required=ChangeRequired.APPROVED)
    stages = [
        a_rule("one", group={"kind": "PERSONS", "persons": [str(first.public_id)]}, stage=1),
        a_rule("two", group={"kind": "PERSONS", "persons": [str(second.public_id)]}, stage=2),
    ]
    make_policy(environment, *stages)
    target = make_place(environment=environment, policy=False)
    change = make_change(State.IN_REVIEW, targets=(target,), requester=requester, now=now() - SOON)
    follow_all()
    assert (kinds(first), kinds(second)) == ([Kind.SIGN_OFF_ASKED], [])

    approve(change, first, now=now())
    follow_all()

    assert (kinds(first), kinds(second)) == ([Kind.SIGN_OFF_ASKED], [Kind.SIGN_OFF_ASKED])


def test_what_was_resubmitted_asks_anew(asked, owner, requester):
    follow_all()
    Delivery.objects.update(state=MailState.SENT, ended_at=now())
    send_back_change(change_id=asked.pk, by=owner.actor, reason="Say what users notice.")
    submit_change(change_id=asked.pk, by=requester.actor)

    follow_all()

    assert kinds(owner) == [Kind.SIGN_OFF_ASKED, Kind.SIGN_OFF_ASKED]
    assert kinds(requester) == [Kind.CHANGE_RETURNED]


@pytest.mark.parametrize("verb", ["approve", "reject", "send_back", "expire", "finish"])
def test_requester_and_watchers_are_told_what_became_of_it(verb, owner, requester):
    watcher, named, member = make_person(), make_person(name="Nadia Named", email="nadia@example.org"), make_person()
    MembershipFactory(person=member, team=TeamFactory(name="Help desk", slug="help"))
    targets = (make_place(business=owner),)
    states = {"expire": State.EXPIRED, "finish": State.POST_REVIEW}
    began = now() - (timedelta(days=15) if verb == "expire" else SOON)
    story = Story(title="Return ferry", told=("NADIA@example.org", "Help Desk", "nobody we know"))
    change = make_change(states.get(verb, State.IN_REVIEW), targets=targets, requester=requester, now=began, story=story)
    Watch.objects.create(change=change, person=watcher, since_at=now())
    digest = newest(change).digest
    match verb:
        case "approve":
            approve_change(change_id=change.pk, revision_digest=digest, by=owner.actor)
        case "reject":
            reject_change(change_id=change.pk, revision_digest=digest, by=owner.actor, reason="Not now.")
        case "send_back":
            send_back_change(change_id=change.pk, by=owner.actor, reason="Say more.")

    follow_all()

    expected = Kind.CHANGE_RETURNED if verb in {"send_back", "finish"} else Kind.CHANGE_DECIDED
    assert kinds(requester)[-1] == expected
    for person in (watcher, named, member):
        rows = told(person)
        assert rows, verb
        assert {(row.kind, row.relation, row.timing) for row in rows} == {(Kind.CHANGE_WATCHED, Relation.WATCHER, Timing.DIGEST)}


def test_name_that_two_people_share_tells_neither():
    make_person(name="Sam Same")
    make_person(name="Sam Same")
    requester = make_person(Role.REQUESTER)
    change = make_change(State.IN_REVIEW, requester=requester, now=now() - SOON, story=Story(title="Ferry", told=("Sam Same",)))
    withdraw_change(change_id=change.pk, by=requester.actor, reason="No.")

    follow_all()

    assert not Delivery.objects.filter(kind=Kind.CHANGE_WATCHED).exists()


def test_nobody_is_told_of_what_they_did_themselves(asked, requester):
    withdraw_change(change_id=asked.pk, by=requester.actor, reason="Not needed.")

    follow_all()

    assert not told(requester)


def test_comment_tells_requester_speakers_and_watchers_once_each(asked, owner, requester):
    speaker, watcher = make_person(), make_person()
    comment_on_change(change_id=asked.pk, text="What of the night ferry?", by=speaker.actor)
    Watch.objects.create(change=asked, person=watcher, since_at=now())
    Watch.objects.create(change=asked, person=requester, since_at=now())
    follow_all()
    comment_on_change(change_id=asked.pk, text="It stays.", by=owner.actor)

    follow_all()

    assert [(row.kind, row.relation) for row in told(requester)] == [(Kind.COMMENTED, Relation.REQUESTER)] * 2
    assert [row.relation for row in told(watcher)] == [Relation.WATCHER] * 2
    assert [row.relation for row in told(speaker)] == [Relation.SPEAKER]
    assert Kind.COMMENTED not in kinds(owner)


def test_mention_is_more_than_a_comment(asked, owner, requester):
    named = make_person(email="mia@example.org")
    said = f"@mia and @{requester.email}: what of the night ferry?"
    comment_on_change(change_id=asked.pk, text=said, by=owner.actor)

    follow_all()

    for person in (named, requester):
        assert [(row.kind, row.relation, row.timing) for row in told(person)] == [(Kind.MENTIONED, Relation.MENTIONED, Timing.NOW)]


def test_failed_deployment_tells_owners_operators_orderer_and_requester():
    owner, wide, own, foreign, requester = (make_person(name=name) for name in ("Owner", "Wide", "Own", "Foreign", "Asker"))
    site = make_site()
    OwnershipFactory(service=site.service, person=owner, kind="TECHNICAL")
    RoleGrantFactory(person=wide, role=Role.OPERATOR)
    RoleGrantFactory(person=own, role=Role.OPERATOR, team=site.service.team)
    RoleGrantFactory(person=foreign, role=Role.OPERATOR, team=TeamFactory())
    RoleGrantFactory(person=requester, role=Role.REQUESTER)
    order = make_deployment(DeploymentState.FAILED, target=site, requester=requester)

    follow_all()

    rows = Delivery.objects.filter(subject=str(order.reference))
    assert {row.kind for row in rows} == {Kind.DEPLOYMENT_FAILED}
    relations = {row.person.name: row.relation for row in rows.select_related("person")}
    assert relations["Owner"] == Relation.OWNER
    assert relations["Wide"] == relations["Own"] == Relation.OPERATOR
    assert relations["Asker"] == Relation.REQUESTER
    assert "Foreign" not in relations
    assert Relation.ORDERER in relations.values()


def test_deployment_that_needs_a_person_says_so(owner):
    site = make_site()
    OwnershipFactory(service=site.service, person=owner, kind="BUSINESS")
    make_deployment(DeploymentState.NEEDS_HUMAN, target=site)

    follow_all()

    assert kinds(owner) == [Kind.DEPLOYMENT_NEEDS_HUMAN]


def test_success_is_told_to_nobody(owner):
    site = make_site()
    OwnershipFactory(service=site.service, person=owner, kind="BUSINESS")
    make_deployment(DeploymentState.SUCCEEDED, target=site)

    follow_all()

    assert not told(owner)


def test_incident_is_told_to_owners_and_operators(owner):
    target = make_target()
    OwnershipFactory(service=target.service, person=owner, kind="TECHNICAL")
    operator, reporter = make_person(Role.OPERATOR), make_person(Role.OPERATOR)
    open_incident(target.pk, title="Turnstiles stay shut", by=reporter.actor, hold=False)

    follow_all()

    assert kinds(owner) == kinds(operator) == [Kind.INCIDENT_OPENED]
    assert not told(reporter)


def test_restricted_service_is_told_only_to_who_sees_it(requester):
    team = TeamFactory()
    insider, outsider = make_person(team=team), make_person(Role.OPERATOR)
    service = make_service(is_restricted=True, team=team, name="Vault")
    target = make_target(service)
    OwnershipFactory(service=service, person=insider, kind="TECHNICAL")
    open_incident(target.pk, title="The vault stays open", by=make_person(Role.OPERATOR, team=team).actor, hold=False)
    change = drafts.make_change(requester=make_person(Role.REQUESTER, team=team), targets=(target,), now=now())
    Watch.objects.create(change=change, person=outsider, since_at=now())
    withdraw_change(change_id=change.pk, by=change.requester.actor, reason="")

    follow_all()

    assert kinds(insider)[0] == Kind.INCIDENT_OPENED
    assert not told(outsider)


def test_old_news_is_not_told_but_what_waits_is(asked, owner, requester):
    approve(asked, owner, now=now())

    follow_all(now() + timedelta(days=3))

    assert not told(requester)
    waiting = make_change(State.IN_REVIEW, targets=(make_place(business=owner),), requester=requester, now=now() - SOON)
    follow_all(now() + timedelta(days=3))
    assert [row.subject for row in told(owner)] == [str(waiting.reference)]


def test_deactivated_person_is_not_told(asked, owner):
    owner.is_active, owner.deactivated_at = False, now()
    owner.save()

    follow_all()

    assert not Delivery.objects.exists()
