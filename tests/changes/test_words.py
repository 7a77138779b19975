"""What a change is found by: every text of its newest revision, what was said about it, and how much of it is kept."""

from dataclasses import replace
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from apps.approvals.actions import revise_change
from apps.changes.actions import comment_on_change
from apps.changes.content import Rollback, Scope, Step, Strategy
from apps.changes.facts import content_of
from apps.changes.models import Change
from apps.changes.states import State
from apps.changes.steps import words
from tests.conftest import NOW
from tests.factories.approvals import make_change
from tests.factories.changes import make_content

pytestmark = pytest.mark.django_db


def told():
    """A content whose every text holds a word of its own."""
    content = make_content(title="Atitle")
    scope = Scope(items=content.scope.items, aspects=content.scope.aspects, reason="Breason", impact="Cimpact")
    plan = type(content.plan)(steps=(Step("Dstep", verify="Eproof"),))
    rollback = Rollback(
        strategy=Strategy.REVERT_COMMIT,
        steps=(Step("Fback", verify="Gproof"),),
        trigger="Htrigger",
        seconds_to_restore=60,
        irreversible=("Ilost",),
        data_strategy="Jdata",
        reason="Kbecause",
    )
    story = type(content.story)(title="Atitle", labels=("llabel",), description="Mdescription")
    return type(content)(scope, plan, rollback, content.period, story)


def test_every_text_of_a_change_is_among_its_words():
    said = {*words.joined(words.said_in(told())).split()}

    assert said >= {
        "atitle",
        "breason",
        "cimpact",
        "dstep",
        "eproof",
        "fback",
        "gproof",
        "htrigger",
        "ilost",
        "jdata",
        "kbecause",
        "mdescription",
    }
    assert "llabel" in said


def test_a_comment_is_found_and_an_edit_keeps_it():
    change = make_change(State.IN_REVIEW)
    comment_on_change(change_id=change.pk, text="Mind the **heron** nest.", by=change.requester.actor, now=NOW)
    change.refresh_from_db()
    assert change.words.endswith("mind the heron nest")

    content = content_of(change.revision)
    revised = replace(content, story=replace(content.story, description="Mdescription"))
    revise_change(change_id=change.pk, content=revised, by=change.requester.actor, now=NOW)

    change.refresh_from_db()
    assert "mdescription" in change.words
    assert change.words.endswith("mind the heron nest")


def test_far_too_much_is_cut_between_two_words():
    kept = words.joined(["heron " * 100_000])

    assert len(kept) <= words.MOST
    assert set(kept.split()) == {"heron"}


def test_the_longest_words_that_are_kept_fit_into_the_index():
    change = make_change(State.IN_REVIEW)
    words.add_words(
        change, " ".join(f"{chr(0x4E00 + at % 20000)}{chr(0x4E00 + at // 20000)}{chr(0x5000 + at % 999)}" for at in range(60_000))
    )

    assert len(Change.objects.get(pk=change.pk).words) > words.MOST - 100


def test_migration_gives_earlier_changes_the_same_words():
    change = make_change(State.IN_REVIEW)
    comment_on_change(change_id=change.pk, text="Mind the heron.", by=change.requester.actor, now=NOW)
    change.refresh_from_db()
    right = change.words
    Change.objects.update(words="")

    import_module("apps.changes.migrations.0010_words_of_every_text").fill(apps, connection.schema_editor())

    change.refresh_from_db()
    assert right
    assert change.words == right
