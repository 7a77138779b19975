"""What bytes are, found by reading them: reports and their counts, attacks, and names that promise something else."""

import io
import json
import zipfile

import pytest

from apps.changes.evidence.junit import NoReport, read_xml
from apps.changes.evidence.kinds import Kind, link_bytes, look_at
from apps.changes.evidence.sarif import count_sarif
from apps.changes.evidence.telling import summary_of
from apps.core.refusals import BadContent

REPORT = b"""<?xml version="1.0"?>
<testsuites tests="9999" failures="0">
  <testsuite name="cart" tests="4" failures="1">
    <testcase classname="cart" name="adds"/>
    <testcase classname="cart" name="removes"><failure message="no">stack</failure></testcase>
    <testcase classname="cart" name="breaks"><failure/><error/></testcase>
    <testcase classname="cart" name="later"><skipped/></testcase>
    <testsuite name="inner"><testcase name="nested"/></testsuite>
  </testsuite>
</testsuites>"""
BOMB = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">
 <!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
 <!ENTITY lol3 "&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;">]>
<testsuites><testsuite><testcase name="&lol3;"/></testsuite></testsuites>"""
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuite><testcase name="&x;"/></testsuite>'


def packed() -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("a.xml", "<testsuite/>")
    return body.getvalue()


def sarif(**run: object) -> bytes:
    return json.dumps({"version": "2.1.0", "runs": [run]}).encode()


def test_junit_is_counted_by_its_test_cases_and_its_own_counters_are_only_compared():
    found = look_at(REPORT, name="report.xml")

    assert found.kind is Kind.JUNIT
    assert found.counted == {
        "tests": 5,
        "failures": 1,
        "errors": 1,
        "skipped": 1,
        "failing": ["cart.removes", "cart.breaks"],
        "claims": {"tests": 9999, "failures": 0},
    }
    told = summary_of(found.kind, found.counted)
    assert told.text == "5 tests: 2 passed, 1 failed, 1 broke off, 1 skipped"
    assert told.tone == "stop"
    assert "claims 0 failures, 9999 tests" in told.claims


@pytest.mark.parametrize(
    ("cases", "text", "tone"),
    [
        ("", "no test case in it", "wait"),
        ("<testcase name='a'/>", "1 test: 1 passed", "go"),
        ("<testcase name='a'><skipped/></testcase>", "1 test: 1 skipped", "wait"),
        ("<testcase><system-out><failure/></system-out></testcase>", "1 test: 1 passed", "go"),
        ("<testcase><failure/><failure/></testcase>", "1 test: 1 failed", "stop"),
    ],
)
def test_junit_summary(cases, text, tone):
    found = look_at(f"<testsuite>{cases}</testsuite>".encode(), name="r.xml")

    assert (summary_of(found.kind, found.counted).text, summary_of(found.kind, found.counted).tone) == (text, tone)


def test_suites_without_a_total_claim_the_sum_of_their_own():
    body = b'<testsuites><testsuite tests="2"><testcase/></testsuite><testsuite tests="3"><testcase/></testsuite></testsuites>'

    assert look_at(body, name="r.xml").counted["claims"] == {"tests": 5}


@pytest.mark.parametrize("huge", ["9" * 5000, "-1", "1e9", "٣", "\N{SUPERSCRIPT TWO}"])
def test_a_counter_that_is_no_number_of_tests_claims_nothing(huge):
    body = f'<testsuite tests="{huge}"><testcase/></testsuite>'.encode()

    assert look_at(body, name="r.xml").counted["tests"] == 1


@pytest.mark.parametrize("body", [BOMB, OUTSIDE], ids=["entities", "outside"])
@pytest.mark.parametrize("name", ["report.xml", "report", "report.txt"])
def test_xml_with_a_document_type_is_refused_before_anything_is_expanded(body, name):
    with pytest.raises(BadContent, match="document type"):
        look_at(body, name=name)


def test_xml_that_breaks_off_says_where():
    with pytest.raises(BadContent, match="breaks off at line 8"):
        look_at(REPORT[:420], name="report.xml")


@pytest.mark.parametrize("encoding", ["EBCDIC-XX", "utf-7", "rot13", "base64", "undefined"])
def test_xml_in_an_encoding_nobody_reads_is_refused(encoding):
    with pytest.raises(BadContent):
        look_at(f'<?xml version="1.0" encoding="{encoding}"?><testsuite/>'.encode(), name="report.xml")


def test_xml_in_utf_16_is_read():
    body = '<?xml version="1.0" encoding="utf-16"?><testsuite><testcase name="é"/></testsuite>'.encode("utf-16")

    assert look_at(body, name="report.xml").counted["tests"] == 1


def test_xml_that_is_nested_for_ever_is_refused():
    with pytest.raises(NoReport, match="nested too deeply"):
        read_xml(b"<testsuite>" + b"<a>" * 500)


def test_a_million_test_cases_are_counted_and_few_are_named():
    body = b"<testsuite>" + b"<testcase name='x'><failure/></testcase>" * 20_000 + b"</testsuite>"

    counted = look_at(body, name="r.xml").counted
    assert counted["failures"] == 20_000
    assert len(counted["failing"]) == 10


def test_a_name_of_a_test_is_kept_in_a_length_that_can_be_shown():
    body = b"<testsuite><testcase name='" + b"x" * 1_000_000 + b"'><error/></testcase></testsuite>"

    assert len(look_at(body, name="r.xml").counted["failing"][0]) == 200


def test_sarif_is_counted_by_results_and_level():
    rules = [{"id": "A", "defaultConfiguration": {"level": "error"}}, {"id": "B"}]
    results = [
        {"ruleId": "A"},
        {"ruleIndex": 0, "level": "note"},
        {"rule": {"index": 0}},
        {"ruleId": "B"},
        {"ruleId": "unheard of"},
        {"kind": "pass"},
        {"level": "error", "suppressions": [{"kind": "inSource"}]},
        {"level": "error", "suppressions": [{"kind": "external", "status": "rejected"}]},
        {"level": "error", "baselineState": "absent"},
        {"level": "catastrophe"},
    ]
    found = look_at(sarif(tool={"driver": {"name": "scan", "rules": rules}}, results=results), name="s.sarif")

    assert found.kind is Kind.SARIF
    assert found.counted == {"error": 3, "warning": 3, "note": 1, "none": 1, "suppressed": 1, "tools": ["scan"]}
    assert summary_of(found.kind, found.counted).text == "3 errors, 3 warnings, 1 note, 1 suppressed"


@pytest.mark.parametrize(
    "run",
    [
        5,
        {"results": 5},
        {"results": [5, None, [], {"ruleIndex": -1}, {"ruleIndex": 10**30}, {"ruleIndex": True}, {"ruleId": [1]}]},
        {"tool": 5, "results": [{"rule": 5, "suppressions": 5, "level": [1], "kind": {}}]},
        {"tool": {"driver": {"rules": [5, {"id": {}}], "name": 5}}, "results": [{}]},
        {"tool": {"driver": {"rules": [{"id": "A", "defaultConfiguration": {"level": {}}}]}}, "results": [{"ruleId": "A"}]},
    ],
)
def test_sarif_of_an_odd_shape_is_counted_as_far_as_it_goes(run):
    counted = count_sarif({"version": "2.1.0", "runs": [run]})

    assert all(isinstance(counted[level], int) for level in ("error", "warning", "note", "none", "suppressed"))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"hello\n", Kind.TEXT),
        ("Grüße".encode(), Kind.TEXT),
        (b"Gr\xfc\xdfe", Kind.FILE),
        (b"a\x00b", Kind.FILE),
        (b'{"a": 1}', Kind.JSON),
        (b'{"a": 1', Kind.TEXT),
        (b"[" * 100_000, Kind.TEXT),
        (b'{"a": ' + b"9" * 100_000 + b"}", Kind.JSON),
        (b'{"a": NaN, "b": 1e999}', Kind.JSON),
        (b"<root><child/></root>", Kind.XML),
        (b"<unclosed", Kind.TEXT),
        (b"<!DOCTYPE html><script>alert(1)</script>", Kind.HTML),
        (b"\xef\xbb\xbf  \n<HTML><body>", Kind.HTML),
        (b"<html xmlns='http://www.w3.org/1999/xhtml'/>", Kind.HTML),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", Kind.HTML),
        (b"\x89PNG\r\n\x1a\n....", Kind.IMAGE),
        (b"%PDF-1.7", Kind.PDF),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", Kind.IMAGE),
        (b"MZ\x90\x00", Kind.FILE),
    ],
)
def test_kind_is_found_by_reading(body, kind):
    assert look_at(body, name="upload").kind is kind


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("report.xml", packed(), "named .xml and holds a packed archive"),
        ("report.xml", b"<!DOCTYPE html><p>", "holds HTML"),
        ("scan.sarif", b"{}", "holds JSON"),
        ("scan.json", b"hello", "holds plain text"),
        ("shot.PNG", b"<html>", "holds HTML"),
        ("doc.pdf", b"MZ\x90\x00", "holds bytes of no known kind"),
        ("report.xml", b"", "empty"),
        ("notes.txt", packed(), "holds a packed archive"),
    ],
)
def test_a_name_that_promises_something_else_is_refused(name, body, said):
    with pytest.raises(BadContent, match=said):
        look_at(body, name=name)


def test_a_packed_archive_is_not_unpacked():
    assert look_at(packed(), name="reports.zip").kind is Kind.ARCHIVE


@pytest.mark.parametrize(
    "link",
    [
        "http://ci.example.org/1",
        "javascript:alert(1)",
        "https://",
        "https:///x",
        "//ci.example.org",
        "https://user:secret@ci.example.org/",
        "https://ci.example.org/a b",
        'https://ci.example.org/"onclick',
        "https://ci.example.org/\u202egpj",
        "https://ci.example.org/\nx",
        "https://[::1",
        "https://ci.example.org:99999/",
        "https://ci.example.org/é",
        "https://x" + "y" * 3000,
        "a\x00b",
    ],
)
def test_a_link_that_is_no_plain_https_is_refused(link):
    with pytest.raises(BadContent) as error:
        link_bytes(link)

    assert set(error.value.errors) == {"link"}


def test_a_link_is_a_document_of_its_own_and_the_same_one_as_a_file():
    body = link_bytes(" https://ci.example.org/runs/7 ")

    assert body == b'{"link":"https://ci.example.org/runs/7","schema":1}'
    assert look_at(body, name="").kind is Kind.LINK
    assert look_at(body, name="x.json").link == "https://ci.example.org/runs/7"
    assert look_at(b'{"schema":1,"link":"javascript:alert(1)"}', name="x.json").kind is Kind.JSON
