"""The audit page."""

import pytest

from apps.accounts.roles import Role
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.home.views.governing import PAGE
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.catalog import make_service

HOSTILE = [
    "?about=x",
    "?about=%00:1",
    "?before=no",
    "?group=nothing",
    "?about=" + "a" * 300 + ":1",
    "?before=00000000-0000-0000-0000-000000000000",
]


def test_audit_page_is_for_auditors(db, client):
    for role in Role:
        client.force_login(make_person(role))

        assert client.get("/audit/").status_code == (200 if role is Role.AUDITOR else 403), role
        assert role is Role.AUDITOR or client.get("/audit/export/").status_code == 403


def test_audit_page_shows_the_newest_first_and_pages_on(db, client):
    auditor, service = make_person(Role.AUDITOR), make_service()
    for number in range(PAGE + 5):
        record(Event.SERVICE_CHANGED, subject=service, by=auditor.actor, at=NOW, data={"number": number})
    client.force_login(auditor)

    first = client.get("/audit/", {"about": str(service.reference)})
    older = client.get("/audit/" + first.context["older_url"].removeprefix("/audit/"))

    assert len(first.context["entries"]) == PAGE
    assert len(older.context["entries"]) == 5
    assert not older.context["older_url"]


def test_audit_page_filters_by_group(db, client):
    auditor = make_person(Role.AUDITOR)
    record(Event.SERVICE_CHANGED, subject=make_service(), by=auditor.actor, at=NOW)
    client.force_login(auditor)

    events = {line["entry"].event for line in client.get("/audit/", {"group": "service"}).context["entries"]}

    assert events == {Event.SERVICE_CHANGED}


@pytest.mark.parametrize("query", HOSTILE)
def test_audit_page_reads_any_address(db, client, query):
    client.force_login(make_person(Role.AUDITOR))

    assert client.get(f"/audit/{query}").status_code == 200


def test_audit_export_is_what_the_verifier_reads(own_database, client):
    client.force_login(make_person(Role.AUDITOR))

    response = client.get("/audit/export/")

    assert response["Content-Disposition"].startswith("attachment")
    assert b'"kind":"header"' in b"".join(response.streaming_content)
