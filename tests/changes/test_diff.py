"""What differs is said field by field, and exactly where the bytes differ."""

from dataclasses import replace
from uuid import UUID

from hypothesis import given

from apps.changes.content import PARTS, Aspect, EnvironmentRef, Evidence, Plan, Rollback, Step, Story, part_bytes
from apps.changes.diff import Difference, changed_parts, differences
from tests.changes.contents import STEADY, contents
from tests.factories.changes import OTHER_COMMIT, make_content, make_item

OLD = make_content()


def said(new, old=OLD):
    return [(each.field, each.label, each.old, each.new) for each in differences(old, new)]


@STEADY
@given(contents(), contents())
def test_differences_are_found_exactly_in_the_parts_whose_bytes_differ(old, new):
    expected = {part for part in PARTS if part_bytes(old)[part] != part_bytes(new)[part]}

    assert changed_parts(differences(old, new)) == expected
    assert differences(old, old) == ()


def test_a_changed_field_is_told_with_both_values():
    new = replace(OLD, rollback=replace(OLD.rollback, seconds_to_restore=None, trigger="errors"))

    assert differences(OLD, new) == (
        Difference("rollback", "rollback.trigger", "Go back when", "abandoned checkouts over 30 %", "errors"),
        Difference("rollback", "rollback.seconds_to_restore", "Time to restore", "2 min 20 s", None),
    )


def test_a_version_is_told_by_service():
    new = make_content(scope=replace(OLD.scope, items=(make_item(identities=(OTHER_COMMIT,), label="3.18.2"),), aspects=frozenset(Aspect)))

    assert [(field, label) for field, label, _, _ in said(new)] == [
        ("scope.aspects", "What is touched"),
        ("scope.items.0.label", "Checkout web: version"),
        ("scope.items.0.identities", "Checkout web: identities"),
    ]


def test_added_and_removed_services_have_rows_of_their_own():
    other = replace(make_item(), service_id=UUID(int=7), service_name="Payments")
    new = make_content(scope=replace(OLD.scope, items=(other,)))

    assert said(new) == [
        ("scope.items.0", "Payments", None, "3.18.1 to Production"),
        ("scope.items.0", "Checkout web", "3.18.1 to Production", None),
    ]


def test_the_order_of_services_is_told():
    other = replace(make_item(), service_id=UUID(int=7), service_name="Payments")
    old = make_content(scope=replace(OLD.scope, items=(make_item(), other)))
    new = make_content(scope=replace(OLD.scope, items=(other, make_item())))

    assert said(new, old) == [("scope.items", "Order of services", "Checkout web\nPayments", "Payments\nCheckout web")]


def test_environments_of_one_name_are_told_apart():
    new = make_content(scope=replace(OLD.scope, items=(replace(make_item(), environments=(EnvironmentRef(UUID(int=9), "Production"),)),)))

    ((field, _, old, now),) = said(new)

    assert field == "scope.items.0.environments"
    assert old != now


def test_a_step_put_first_is_one_difference():
    first = Step("Tell the call centre")
    old = make_content(plan=Plan((Step("a"), Step("b", expected_seconds=5))))
    new = make_content(plan=Plan((first, Step("a"), Step("b", expected_seconds=6))))

    assert said(new, old) == [
        ("plan.steps.0", "Step 1", None, "Tell the call centre (person)"),
        ("plan.steps.2.expected_seconds", "Step 3: expected time", "5 s", "6 s"),
    ]


def test_removed_steps_evidence_and_irreversible_parts_are_told():
    old = make_content(
        plan=Plan((Step("a", verify="p", expected_seconds=2),), (Evidence("Tests", "1" * 64, "junit"),)),
        rollback=Rollback(irreversible=("a", "b")),
        story=Story("t", labels=("x", "y")),
    )
    new = make_content(
        plan=Plan((), (Evidence("Scan", "2" * 64),)), rollback=Rollback(irreversible=("b",)), story=Story("t", labels=("x",))
    )

    assert said(new, old) == [
        ("plan.steps.0", "Step 1", "a (person, 2 s)\nProof: p", None),
        ("plan.evidence.0", "Evidence Tests", f"junit sha256:{'1' * 64}", None),
        ("plan.evidence.0", "Evidence Scan", None, f"sha256:{'2' * 64}"),
        ("rollback.irreversible.0", "Cannot be undone, 1", "a", "b"),
        ("rollback.irreversible.1", "Cannot be undone, 2", "b", None),
        ("story.labels", "Labels", "x\ny", "x"),
    ]
