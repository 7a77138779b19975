"""Personal tokens on the API."""

from datetime import timedelta

import pytest
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from apps.accounts.access import actor_of
from apps.accounts.actions import deactivate_person, issue_personal_token, merge_persons, revoke_personal_token
from apps.accounts.authentication import PersonalToken as Authentication
from apps.accounts.models import PersonalToken
from apps.accounts.roles import Role
from apps.accounts.schema import PersonalTokenScheme
from apps.core.locks import database_now
from apps.core.refusals import BadContent, Refused
from tests.factories.accounts import make_person

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class Who(APIView):
    authentication_classes = [Authentication]

    def get(self, request: Request) -> Response:
        by = actor_of(request)
        return Response({"kind": by.kind, "id": by.id, "credential": by.credential})


urlpatterns = [path("who/", Who.as_view())]


def ask(secret: str, scheme: str = "Bearer") -> Response:
    return APIClient().get("/who/", headers={"Authorization": f"{scheme} {secret}"})


@pytest.fixture
def person():
    return make_person()


@pytest.fixture
def issued(person):
    return issue_personal_token(name="laptop", days=30, by=person.actor)


def test_a_token_acts_as_its_person_and_says_by_what(person, issued):
    answer = ask(issued.secret)

    assert answer.status_code == 200
    assert answer.data == {"kind": "PERSON", "id": str(person.public_id), "credential": f"personal_token:{issued.token.public_id}"}


def test_only_the_hash_of_a_token_is_kept(issued):
    kept = PersonalToken.objects.get()

    assert issued.secret.startswith("ccp_")
    assert len(bytes(kept.hash)) == 32
    assert issued.secret.encode() not in bytes(kept.hash)
    assert len(kept.prefix) < len(issued.secret) / 2


def test_use_of_a_token_is_noted_once_a_minute(issued, django_assert_num_queries):
    ask(issued.secret)
    first = PersonalToken.objects.get().used_at
    ask(issued.secret)

    assert first is not None
    assert PersonalToken.objects.get().used_at == first

    PersonalToken.objects.update(used_at=first - timedelta(seconds=61))
    ask(issued.secret)
    assert PersonalToken.objects.get().used_at >= first


@pytest.mark.parametrize("secret", ["ccp_", "ccp_unknown", "ccp_\x7f", "ccp_é", "ccp_" + "x" * 5000])
def test_an_unknown_token_is_401_and_says_how_to_ask(secret):
    answer = ask(secret)

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer.data["code"] == "authentication_failed"


@pytest.mark.parametrize("header", ["", "Bearer", "Basic abc", "Bearer ccg_other"])
def test_another_or_no_credential_is_left_to_others(header):
    answer = APIClient().get("/who/", headers={"Authorization": header})

    assert answer.status_code == 401
    assert answer.data["code"] == "not_authenticated"


def test_an_expired_token_is_refused(person):
    issued = issue_personal_token(name="old", days=1, by=person.actor, now=database_now() - timedelta(days=1, seconds=1))

    assert ask(issued.secret).status_code == 401


def test_a_revoked_token_is_refused(person, issued):
    revoke_personal_token(issued.token.pk, by=person.actor)

    assert ask(issued.secret).status_code == 401
    with pytest.raises(Refused, match="revoked already"):
        revoke_personal_token(issued.token.pk, by=person.actor)


def test_tokens_of_somebody_deactivated_or_merged_are_refused(person, issued):
    admin = make_person(Role.ADMINISTRATOR)
    other = make_person()
    second = issue_personal_token(name="laptop", days=30, by=other.actor)

    deactivate_person(person.pk, by=admin.actor)
    merge_persons(make_person().pk, other.pk, by=admin.actor)

    assert ask(issued.secret).status_code == 401
    assert ask(second.secret).status_code == 401


@pytest.mark.parametrize("days", [0, -1, 366, 10**9])
def test_a_token_always_ends_within_a_year(person, days):
    with pytest.raises(BadContent, match="days"):
        issue_personal_token(name="x", days=days, by=person.actor)


def test_the_schema_names_bearer_tokens():
    definition = PersonalTokenScheme(target=Authentication).get_security_definition(None)

    assert (definition["type"], definition["scheme"]) == ("http", "bearer")
