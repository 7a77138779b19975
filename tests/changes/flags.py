"""Putting a change into a state without its history, and checking the flags which the gate finds legs by."""

from apps.changes.models import Change, LegIdentity
from apps.changes.states import ENDED, LEG_OPEN, OPEN, Outcome, State
from apps.changes.transitions import keep_open_flags
from tests.conftest import NOW


def put_in(change: Change, state: State) -> Change:
    """Write a state as bare columns: for matrices over states whose real way there belongs to apps above."""
    change.state = state
    change.submitted_at = None if state is State.DRAFT else NOW
    change.outcome = Outcome.NOT_DEPLOYED if state in ENDED else ""
    change.save()
    keep_open_flags(change)
    return change


def assert_flags_are_true(change: Change) -> None:
    """The flags repeat what the states say, leg by leg and identity by identity."""
    change = Change.objects.get(pk=change.pk)
    for leg in change.legs.all():
        derived = leg.is_current and change.state in OPEN and leg.state in LEG_OPEN
        assert leg.is_open is derived, f"leg {leg.pk}: {leg.state} of a change {change.state}"
        for identity in LegIdentity.objects.filter(leg=leg):
            assert identity.is_open is derived, f"identity of leg {leg.pk}"
