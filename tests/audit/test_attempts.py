"""Refused attempts are recorded after the rollback, in a transaction of their own."""

import pytest

from apps.audit.attempts import recorded_refusal
from apps.audit.models import Cursor
from apps.audit.stream import latest
from apps.audit.vocabulary import Event
from apps.core.actors import Actor, system
from apps.core.references import Reference, reference
from apps.core.refusals import BadContent, Refused, not_allowed
from apps.core.verbs import verb
from tests.factories.audit import make_actor, make_cursor

CHANGE = reference("change", "0198")


@recorded_refusal(Event.SIGN_OFF_REFUSED)
@verb
def sign(*, by: Actor, about: Reference | None = CHANGE, error: Exception | None = None) -> str:
    """A verb that writes, then refuses."""
    make_cursor("written")
    if error:
        raise error
    if about is None or by.person_id:
        raise Refused(not_allowed("own_change", "You wrote it.", "Somebody else signs."), about=about)
    return "signed"


def test_refused_attempt_leaves_only_its_entry(own_database):
    by = make_actor()

    with pytest.raises(Refused, match="You wrote it"):
        sign(by=by)

    (entry,) = latest(limit=5)
    assert not Cursor.objects.exists()
    assert (entry.event, entry.subject, entry.by) == (Event.SIGN_OFF_REFUSED, CHANGE, by)
    assert entry.data == {"code": "own_change", "kind": "NOT_ALLOWED"}
    assert entry.details == {}


@pytest.mark.parametrize("by", [make_actor(), system("runner")])
def test_refusal_about_nothing_is_told_of_who_tried(own_database, by):
    with pytest.raises(Refused):
        sign(by=by, about=None)

    (entry,) = latest(limit=5)
    assert entry.subject == reference("person" if by.person_id else "system", by.id)


def test_success_records_no_attempt(own_database):
    assert sign(by=system("runner")) == "signed"
    assert latest(limit=5) == []


def test_bad_input_is_no_attempt(own_database):
    with pytest.raises(BadContent):
        sign(by=make_actor(), error=BadContent({"reason": ["Say why."]}))

    assert latest(limit=5) == []
