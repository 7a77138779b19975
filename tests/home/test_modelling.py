"""Change models: who writes them, what they may say, and that a version is never rewritten."""

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse

from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.changes.actions import retire_change_model, write_change_model
from apps.changes.content import Story
from apps.changes.content.templates import read_template, template_bytes
from apps.changes.models import ChangeModel, ChangeModelVersion
from apps.core.refusals import BadContent, Refused
from tests.factories.accounts import make_person
from tests.factories.changes import ChangeModelVersionFactory, make_model, make_template
from tests.home.pages import HOSTILE, get, marks_of, post, text_of

pytestmark = pytest.mark.django_db
OTHERS = sorted(set(Role) - {Role.ADMINISTRATOR})


@pytest.fixture
def administrator():
    return make_person(Role.ADMINISTRATOR)


def sheet(**more):
    """A model as the browser sends it."""
    counts = {f"{prefix}-{name}": "1" for prefix in ("plan", "rollback") for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    said = {
        "name": "Weekly release",
        "slug": "weekly",
        "plan-0-what": "Roll out",
        "plan-0-by": "AUTOMATION",
        "strategy": "PREVIOUS_RELEASE",
    }
    return {**counts, **said, "do": "save", **more}


def send(client, person, name, *rest):
    """Send a model's form as somebody."""
    *args, data = rest
    client.force_login(person)
    return client.post(reverse(name, args=args), data)


def test_a_model_is_written_and_offered(client, administrator):
    response = send(client, administrator, "home:new_model", sheet(use="Every week.", evidence=["junit"], days="3"))

    model = ChangeModel.objects.get()
    says = read_template(bytes(model.version.body))
    assert response["Location"] == reverse("home:change_model", args=["weekly"])
    assert (says.plan.steps[0].what, says.use, says.evidence, says.days) == ("Roll out", "Every week.", {"junit"}, 3)
    assert "Weekly release" in text_of(get(client, make_person(Role.REQUESTER), "home:new_change"))
    assert "Every week." in text_of(get(client, make_person(), "home:change_models"))
    (entry,) = entries_about(model.reference, limit=9)
    assert (entry.event, entry.data["number"]) == (Event.CHANGE_MODEL_WRITTEN, 1)


def test_another_version_leaves_the_first_as_it_is(client, administrator):
    model = make_model()
    first = model.version

    send(client, administrator, "home:change_model", model.slug, sheet(use="Every other week."))

    model.refresh_from_db()
    assert (model.version.number, read_template(bytes(model.version.body)).use) == (2, "Every other week.")
    assert read_template(bytes(first.body)).use == "Every week."
    with pytest.raises(DatabaseError), transaction.atomic():
        ChangeModelVersion.objects.filter(pk=first.pk).update(number=9)


def test_writing_the_same_again_makes_no_version(administrator):
    model = make_model()

    write_change_model(model_id=model.pk, name=model.name, template=make_template(), by=administrator.actor)
    renamed = write_change_model(model_id=model.pk, name="Fortnightly", template=make_template(), by=administrator.actor)

    assert (renamed.name, renamed.version.number, model.versions.count()) == ("Fortnightly", 1, 1)


def test_what_is_read_is_what_was_written():
    template = make_template(story=Story("", ("a",), ("b",), "text"), evidence=frozenset({"sarif"}), days=5)

    assert read_template(template_bytes(template)) == template
    assert read_template(bytes(ChangeModelVersionFactory().body)) == make_template()


@pytest.mark.parametrize("role", [*OTHERS, None])
def test_only_administrators_write_and_end_models(client, role):
    model, person = make_model(), make_person(*([role] if role else []))
    body = sheet(name="Mine")

    assert send(client, person, "home:new_model", body).status_code == 403
    assert send(client, person, "home:change_model", model.slug, body).status_code == 403
    assert post(client, person, "home:model_retirement", model.slug).status_code == 403
    assert "Change models are written by administrators." in text_of(get(client, person, "home:change_model", model.slug))
    with pytest.raises(Refused):
        write_change_model(slug="other", name="Other", template=make_template(), by=person.actor)
    model.refresh_from_db()
    assert (model.name, model.retired_at) == ("Weekly release", None)


def test_a_retired_model_is_offered_no_more(client, administrator):
    model = make_model()

    post(client, administrator, "home:model_retirement", model.slug)
    retire_change_model(model_id=model.pk, by=administrator.actor)  # once more changes nothing

    model.refresh_from_db()
    assert model.retired_at is not None
    assert get(client, administrator, "home:change_model", model.slug).status_code == 404
    assert [entry.event for entry in entries_about(model.reference, limit=9)].count(Event.CHANGE_MODEL_RETIRED) == 1


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("slug", "Not A Slug", "A short name has small letters"),
        ("name", "", "This is empty."),
        ("days", "91", "less than or equal to 90"),
        ("evidence", ["poem"], "is not one of the available choices"),
        ("plan-0-what", "a\x07", "control character"),
        ("point_of_no_return", "9", "The plan has 1 steps."),
    ],
)
def test_each_mistake_is_told_where_it_was_made(client, administrator, field, value, said):
    response = send(client, administrator, "home:new_model", sheet(**{field: value}))

    assert response.status_code == 422
    assert said in text_of(response)
    assert not ChangeModel.objects.exists()


def test_a_short_name_is_used_once(client, administrator):
    make_model()

    assert "Another change model has this short name." in text_of(send(client, administrator, "home:new_model", sheet()))


def test_rows_are_added_without_a_script(client, administrator):
    response = send(client, administrator, "home:new_model", sheet(do="add:plan"))

    assert len(response.context["plan"].forms) == 2
    assert 'value="Weekly release"' in marks_of(response)


@pytest.mark.parametrize("field", ["days", "description", "name", "plan-0-what", "plan-TOTAL_FORMS", "slug", "title", "use"])
def test_hostile_text_is_refused_or_shown_harmless(client, administrator, field):
    for text in HOSTILE.values():
        response = send(client, administrator, "home:new_model", sheet(**{field: text}))

        assert response.status_code in {302, 422}
        assert b"<script>alert" not in response.content
        ChangeModel.objects.filter(slug="weekly").update(slug=f"used-{ChangeModel.objects.count()}")


def test_unknown_evidence_is_refused_by_the_verb(administrator):
    with pytest.raises(BadContent) as refused:
        write_change_model(slug="x", name="X", template=make_template(evidence=frozenset({"poem"})), by=administrator.actor)

    assert set(refused.value.errors) == {"evidence"}
