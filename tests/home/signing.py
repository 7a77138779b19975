"""How the tests of pages decide: the statement is put before a person, then signed with their password, and the code of their app."""

import re

from django.urls import reverse

from apps.core.locks import database_now
from tests.factories.accounts import PASSWORD, code_for
from tests.factories.approvals import newest
from tests.factories.proving import SECRET


def choose(client, person, change, decision="APPROVE", *, reason="", seen="", **headers):
    """The first step: the statement is put before the person."""
    client.force_login(person)
    given = {"decision": decision, "reason": reason, "revision_digest": seen or newest(change).digest}
    return client.post(reverse("home:sign_off_statement", args=[change.ref]), given, headers=headers)


def sealed_in(response):
    """The statement in the panel, as the browser sends it back."""
    return re.search(r'name="statement" value="([^"]+)"', response.content.decode())[1]


def decide(client, person, change, decision="APPROVE", *, reason="", seen="", password=PASSWORD):
    """Both steps; what the first one refuses is the answer."""
    shown = choose(client, person, change, decision, reason=reason, seen=seen)
    if shown.status_code != 200:
        return shown
    code = code_for(SECRET, database_now())  # who agreed by `tests.factories.proving` has this app; nobody else is asked for it
    return client.post(reverse("home:sign_off", args=[change.ref]), {"statement": sealed_in(shown), "password": password, "code": code})
