"""What a program is told where no view was asked, or where we failed: problem JSON. A person gets a page."""

import pytest
from django.test import Client

ELSEWHERE = {"Host": "evil.example"}


def answer(path, **more):
    return Client(raise_request_exception=False).get(path, **more)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "kind"),
    [("/api/v1/deployments", "application/problem+json"), ("/api/v1/changes", "application/problem+json"), ("/changes/", "text/html")],
)
def test_request_for_another_host_is_told_in_the_form_of_its_reader(path, kind):
    told = answer(path, headers=ELSEWHERE)

    assert told.status_code == 400
    assert told["Content-Type"].startswith(kind)


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "kind"), [("/api/v1/deployments", "application/problem+json"), ("/people/", "text/html")])
def test_failure_of_ours_is_told_in_the_form_of_its_reader(monkeypatch, path, kind):
    def broken(*given, **more):
        raise RuntimeError("the disk is made of cheese")

    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.load", broken)
    told = answer(path, headers={"Cookie": "sessionid=abcdefghijklmnopqrstuvwxyz012345"})

    assert told.status_code == 500
    assert told["Content-Type"].startswith(kind)
    assert b"cheese" not in told.content
