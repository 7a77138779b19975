"""What is done and what is told stand or fall together: where the stream takes nothing, no form changes anything."""

import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from unittest.mock import Mock

import pytest
from allauth.mfa.models import Authenticator

from apps.accounts.envelopes import open_again
from apps.audit import record
from tests.doors.crawl import Found
from tests.doors.desk import UPLOADS, Desk
from tests.doors.routes import ROUTES
from tests.doors.town import Town
from tests.factories.accounts import code_for
from tests.factories.enrolling import answer


@dataclass(frozen=True)
class Untold:
    """Why a form tells the stream nothing, and the tables it may write all the same."""

    reason: str
    writes: AbstractSet[str] = frozenset()


PAGES = sorted(name for name, route in ROUTES.items() if not route.is_api)
# Forms that show what is: sent as they are they change nothing, and there is nothing to tell.
EDITS = {
    "accounts:passkey_name",
    "accounts:profile",
    "accounts:team_name",
    "catalog:environment",
    "catalog:service_change",
    "catalog:target_settings",
}
CODES = frozenset({"mfa_authenticator"})
LOOKS = frozenset({"approvals_look"})
UNTOLD = {
    "account_reset_password": Untold("asking for a mail writes nothing, and the answer is the same for everybody"),
    "account_reauthenticate": Untold("it confirms who sits at a session that is told already; what is then done is told by itself"),
    "mfa_reauthenticate": Untold("it confirms who sits at a session that is told already; a code counts once", CODES),
    "mfa_login_webauthn": Untold("what is no passkey's answer leads back to signing in"),
    "home:trust_trial": Untold("it says which check would refuse a token; nothing is asked of the gate and nothing is kept"),
    "home:preview": Untold("it shows a text as it would be shown"),
    "home:evidence": Untold("a file that no change holds is its owner's alone and gone in a day; the change that takes it tells", UPLOADS),
    "home:looks": Untold("how far somebody has read is a bookmark of theirs: it decides nothing and only they are shown by it", LOOKS),
    "home:leg_exception_statement": Untold("a statement is put before somebody to be read; signing it or refusing to put it is told"),
    "home:exception_statement": Untold("a statement is put before somebody to be read; signing it or refusing to put it is told"),
    "home:sign_off_statement": Untold("a statement is put before somebody to be read; signing it or refusing to put it is told", LOOKS),
}
WRITTEN = {"home:new_change", "home:edit_change"}  # Enter in a field only looks at it; saving is what writes
LEAST = 50  # forms there are


def edited(desk: Desk, town: Town, found: Found) -> dict[str, str]:
    """Something else than the form shows; what a phone or an authenticator would answer; the button that writes."""
    session = desk.client(found.who).session
    if found.route == "accounts:app":
        return {"code": code_for(session["accounts.app_secret"], datetime.now(UTC))}
    if found.route == "accounts:new_passkey":
        return {"credential": json.dumps(answer(session["accounts.passkey"]["challenge"]))}
    if found.route in WRITTEN:
        place = {} if found.route == "home:edit_change" else {"items-0-environments": town.place.environment.slug}
        return {"title": "Another title", "evidence_link": "", "do": "save"} | place  # what is shown is kept before: see home:evidence
    if found.route == "mfa_reauthenticate":
        app = Authenticator.objects.get(user__name=found.who, type=Authenticator.Type.TOTP)
        return {"code": code_for(open_again(app.data["secret"]), datetime.now(UTC))}
    if found.route == "home:environment_strictness":
        return {"what": "hold", "after": "WARN_ONLY", "reason": "Holds are tried out."}
    if found.route == "home:environment_grace":
        return {"minutes": "7", "reason": "The site is far away."}
    if found.route == "catalog:target_settings":
        return {"settings": json.dumps(json.loads(found.form.controls["settings"].value) | {"bake_seconds": 61})}
    return {"name": "Another name"} if found.route in EDITS else {}


def test_no_form_changes_anything_that_the_stream_does_not_take(desk: Desk, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every form as people fill it, in front of a stream that is broken."""
    told, wrong = 0, []
    for found in (found for route in PAGES for found in desk.taken(route) if route not in UNTOLD):
        broken = Mock(side_effect=RuntimeError("The stream takes nothing."))
        with monkeypatch.context() as patched:
            patched.setattr(record, "insert", broken)
            sent = desk.send(found, edited(desk, town, found))
        told += broken.call_count
        if not broken.called or sent.answer.status_code != 500 or sent.changed:
            how = "told" if broken.called else "told nothing"
            wrong.append(f"{found.who} at {found.route}: {how}, {sent.answer.status_code} {sent.errors}, changed {sorted(sent.changed)}")

    assert not wrong, "\n".join(wrong)
    assert told >= LEAST


@pytest.mark.parametrize("route", UNTOLD)
def test_form_that_tells_nothing_is_taken_and_changes_no_more_than_its_reason_allows(
    desk: Desk, town: Town, monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    told = Mock(side_effect=RuntimeError("The stream takes nothing."))
    monkeypatch.setattr(record, "insert", told)
    forms = desk.taken(route)
    assert forms, "no form of it was found"
    for found in forms:
        sent = desk.send(found, edited(desk, town, found), is_weighed=True)

        assert not sent.is_refused, (found.address, sent.answer.status_code, sent.errors)
        assert not told.called, "it tells now: it needs no reason any more"
        assert sent.changed <= UNTOLD[route].writes, found.address
