"""What is done and what is told stand or fall together: where the stream takes nothing, no form changes anything."""

import json
from unittest.mock import Mock

import pytest

from apps.audit import record
from tests.doors.crawl import Found
from tests.doors.desk import Desk
from tests.doors.routes import ROUTES

PAGES = sorted(name for name, route in ROUTES.items() if not route.is_api)
# Forms that show what is: sent as they are they change nothing, and there is nothing to tell.
EDITS = {"accounts:profile", "accounts:team_name", "catalog:environment", "catalog:service_change", "catalog:target_settings"}
UNTOLD = {"account_reset_password": "asking for a mail writes nothing, and the answer is the same for everybody"}
LEAST = 50  # forms there are


def edited(found: Found) -> dict[str, str]:
    """Something else than the form shows."""
    if found.route == "catalog:target_settings":
        return {"settings": json.dumps(json.loads(found.form.controls["settings"].value) | {"bake_seconds": 61})}
    return {"name": "Another name"} if found.route in EDITS else {}


def test_no_form_changes_anything_that_the_stream_does_not_take(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every form as people fill it, in front of a stream that is broken."""
    told, wrong = 0, []
    for found in (found for route in PAGES for found in desk.taken(route) if route not in UNTOLD):
        broken = Mock(side_effect=RuntimeError("The stream takes nothing."))
        with monkeypatch.context() as patched:
            patched.setattr(record, "insert", broken)
            sent = desk.send(found, edited(found))
        told += broken.call_count
        if not broken.called or sent.answer.status_code != 500 or sent.changed:
            how = "told" if broken.called else "told nothing"
            wrong.append(f"{found.who} at {found.route}: {how}, {sent.answer.status_code} {sent.errors}, changed {sorted(sent.changed)}")

    assert not wrong, "\n".join(wrong)
    assert told >= LEAST
