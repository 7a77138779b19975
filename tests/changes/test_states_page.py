"""docs/states.md tells every table of moves, and is as new as they are."""

import pytest
from django.core.management import CommandError, call_command

from apps.core.statecharts import page, tables_of


def test_the_page_of_states_is_fresh():
    call_command("write_states", check=True)


def test_an_old_or_missing_page_is_said(tmp_path):
    file = tmp_path / "states.md"
    with pytest.raises(CommandError, match="is not fresh"):
        call_command("write_states", check=True, to=file)

    call_command("write_states", to=file)
    call_command("write_states", check=True, to=file)

    file.write_text(file.read_text().replace("CLOSED", "SHUT"))
    with pytest.raises(CommandError, match="write_states"):
        call_command("write_states", check=True, to=file)


def test_every_state_is_drawn_with_its_owner_and_its_moves():
    tables = {table.title: table for table in tables_of("apps.changes")}
    drawn = page(tables.values())

    assert [*tables] == ["Change", "Leg"]
    for table in tables.values():
        for state, goals in table.moves.items():
            assert f"| {state} | {table.owners[state].lower()} |" in drawn
            assert all(f"    {state} --> {goal}" in drawn for goal in goals)
    assert "    [*] --> DRAFT" in drawn
    assert "    CLOSED --> [*]" in drawn


def test_an_app_without_states_has_no_table():
    assert [*tables_of("apps.core")] == []
