"""Several querysets in one statement: the same rows of the same types as each by itself, and no question afterwards."""

import pytest
from django.apps import apps
from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import Count, F, OuterRef
from django.db.models.functions import JSONObject
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Person
from apps.audit.models import Detail, Entry
from apps.changes.models import Change, Leg
from apps.changes.states import State
from apps.core.together import read_together
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change

pytestmark = pytest.mark.django_db

# Types that the driver does not know in binary; nothing that is read together with others asks for them.
NOT_READ = {"Entry.xid", "Seal.floor", "Change.searched"}


def plain(model):
    """Every column of a model that may be read together with others."""
    return [field.attname for field in model._meta.concrete_fields if f"{model.__name__}.{field.name}" not in NOT_READ]


def typed(rows):
    return [[(type(value), value) for value in row] for row in rows]


def test_every_column_of_every_table_reads_as_by_itself():
    make_change(State.CLOSED)
    make_change(State.IN_REVIEW)
    models = [model for model in apps.get_models() if "pk" not in plain(model) and not model._meta.proxy]
    alone = {model: model._default_manager.order_by("pk").values_list(*plain(model)) for model in models}
    together = {model: rows.all() for model, rows in alone.items()}

    read_together(*together.values())

    assert sum(len(rows) for rows in together.values()) > len(models)
    for model in models:
        assert typed(together[model]) == typed(alone[model]), model


def test_rows_with_what_is_related_counted_and_gathered_are_built_as_ever():
    change = make_change(State.APPROVED)
    texts = Detail.objects.filter(entry_id=OuterRef("id")).values(said=JSONObject(field="field", text="text"))
    alone = (
        Leg.objects.select_related("service__team", "target__settings", "change__requester__merged_into").order_by("pk"),
        Change.objects.defer("words", "searched").annotate(count=Count("legs"), asked_by=F("requester__name")),
        Entry.objects.order_by("id").values_list("id", ArraySubquery(texts)),
        Person.objects.order_by("-pk").values_list("name", flat=True)[:1],
        change.legs.values_list("state").union(change.moves.values_list("goal"), all=True),
    )
    together = [rows.all() for rows in alone]

    read_together(*together)

    with CaptureQueriesContext(connection) as seen:
        read = [[*rows] for rows in together]
        (leg,) = read[0]
        related = (leg.service.team, leg.target.settings, leg.change.requester.merged_into)
    assert len(seen) == 0
    assert read == [[*rows] for rows in alone]
    assert related == (leg.service.team, Leg.objects.get().target.settings, None)
    assert (read[1][0].count, read[1][0].asked_by) == (1, change.requester.name)


def test_one_statement_reads_them_and_what_is_made_of_one_asks_for_itself():
    ada, bo = make_person(name="Ada"), make_person(name="Bo")
    everybody, nobody = Person.objects.order_by("name"), Person.objects.filter(pk__in=[])

    with CaptureQueriesContext(connection) as seen:
        read_together(everybody, nobody)
        assert [[*everybody], [*nobody]] == [[ada, bo], []]
    assert len(seen) == 1
    with CaptureQueriesContext(connection) as seen:
        assert [*everybody.filter(name="Bo")] == [bo]
    assert len(seen) == 1


def test_values_that_look_like_the_languages_own_marks_are_bound():
    make_person(name="50 % of O'Hara (%s)")
    rows = Person.objects.filter(name="50 % of O'Hara (%s)").values_list("name", flat=True)

    read_together(rows, Person.objects.filter(name__contains="%"))

    assert [*rows] == ["50 % of O'Hara (%s)"]


def test_nothing_to_read_asks_nothing():
    with CaptureQueriesContext(connection) as seen:
        read_together()
        read_together(Person.objects.none())

    assert len(seen) == 0
