"""export_audit and verify_audit, and what only the database itself can show: columns and places against bytes."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.audit import export, seal
from apps.audit.comparison import differences
from apps.audit.export import register
from apps.audit.verifier import main


def test_export_is_written_once_and_verifies_alone(stream, tmp_path, capsys):
    path = tmp_path / "stream.jsonl"

    call_command("export_audit", to=path)

    assert "Verify it with" in capsys.readouterr().out
    assert main([str(path)]) == 0
    with pytest.raises(CommandError, match="never written over"):
        call_command("export_audit", to=path)


def test_failed_export_leaves_no_half_file(stream, tmp_path, monkeypatch):
    def broken() -> list[dict[str, object]]:
        raise OSError("disk full")

    monkeypatch.setattr(export, "_exporters", {"sign_off": broken})
    path = tmp_path / "stream.jsonl"

    with pytest.raises(OSError, match="disk full"):
        call_command("export_audit", to=path)

    assert not path.exists()


def test_export_goes_to_standard_output(stream, capfdbinary):
    call_command("export_audit")

    assert capfdbinary.readouterr().out.splitlines()[-1].startswith(b'{"kind":"end"')


def test_export_is_one_picture_though_entries_come_and_are_sealed_meanwhile(live_stream, monkeypatch):
    def late() -> list[dict[str, object]]:
        with live_stream.own.connect() as other:
            other.execute(
                "insert into audit_entry (id, event, at, subject, refs, body)"
                " select gen_random_uuid(), event, at, subject, refs, body from audit_entry limit 1"
            )
        return live_stream.sign_offs

    monkeypatch.setattr(export, "_exporters", {"sign_off": late, "again": list})

    assert live_stream.verified().tail == 2


def test_kind_of_lines_has_one_exporter(monkeypatch):
    monkeypatch.setattr(export, "_exporters", {})
    register("sign_off", list)
    register("sign_off", list)

    with pytest.raises(ValueError, match="Two exporters"):
        register("sign_off", tuple)


def test_what_has_no_form_in_an_export_is_named(stream, monkeypatch):
    monkeypatch.setattr(export, "_exporters", {"odd": lambda: [{"path": Path()}]})

    with pytest.raises(TypeError, match="PosixPath has no form"):
        stream.exported()


def test_verify_seals_verifies_and_compares_this_database(live_stream, capsys):
    call_command("verify_audit")

    said = capsys.readouterr().out
    assert "verified to position 11, unsealed tail of 0 entries, anchored to nothing" in said
    assert "columns and places in this database say what the bytes say" in said


def test_verify_without_the_sealer_says_so_and_goes_on(live_stream, capsys, monkeypatch):
    monkeypatch.setattr(seal, "SEALER", "nobody")

    call_command("verify_audit")

    said = capsys.readouterr().out
    assert "not sealed before" in said
    assert "unsealed tail of 2" in said


def test_verify_reads_a_file_and_takes_noted_heads(stream, tmp_path, capsys):
    path = tmp_path / "stream.jsonl"
    path.write_bytes(stream.exported())
    head = bytes(stream.one("select head from audit_seal where number = 3")).hex()

    call_command("verify_audit", str(path), head=[head])

    assert "anchored to position 9" in capsys.readouterr().out


@pytest.mark.parametrize(("content", "code"), [(b"", 2), (b"{}\n", 2), (None, 2), ("bad", 1)])
def test_verify_fails_with_the_exit_code_of_the_verifier(stream, tmp_path, content, code):
    path = tmp_path / "stream.jsonl"
    if content is not None:
        path.write_bytes(stream.exported().replace(b"change.created", b"change.revised", 1) if content == "bad" else content)

    with pytest.raises(CommandError) as caught:
        call_command("verify_audit", str(path))

    assert caught.value.returncode == code


FIRST_OF = "where id = (select entry_id from audit_place where position = 4)"
WRONG = {
    "event": f"update audit_entry set event = 'change.revised' {FIRST_OF}",
    "at": f"update audit_entry set at = at + interval '1 second' {FIRST_OF}",
    "subject": f"update audit_entry set subject = refs[2] {FIRST_OF}",
    "refs": f"update audit_entry set refs = refs || '{{service:1}}' {FIRST_OF}",
    "body": f"update audit_entry set body = 'x' {FIRST_OF}",
}


@pytest.mark.parametrize("column", WRONG)
def test_column_that_says_something_else_is_found(stream, column):
    stream.owner_may(WRONG[column])

    (said,) = differences()

    assert f"its column {column} does not say" in said


def test_verify_of_this_database_fails_on_a_changed_column(live_stream):
    live_stream.owner_may(WRONG["at"])

    with pytest.raises(CommandError, match="its column at"):
        call_command("verify_audit")


@pytest.mark.parametrize(
    "statement",
    [
        "update audit_place set position = position + 100 where position = 4",
        "delete from audit_place where position = 9",
        "insert into audit_place (entry_id, position) select id, 77 from audit_entry where id not in (select entry_id from audit_place) limit 1",
    ],
)
def test_place_that_no_seal_gave_is_found(stream, statement):
    stream.owner_may(statement)

    assert "the index of places says" in next(differences())


def test_untouched_database_has_no_differences(stream):
    assert list(differences()) == []
