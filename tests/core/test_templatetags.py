"""Tags and filters: what a page says about moments, states, identities and hostile text."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.template import engines
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from apps.core.badges import BADGES, badge_for
from apps.core.moments import clock_words, distance_words, exact_words, full_words, near_words, span_words
from apps.core.parts import part_marks
from apps.core.prose import mark_everything, mark_hidden, render_markdown
from apps.core.reach import COLUMNS, WIDTHS, column, reach_spans
from apps.core.templatetags.face import duration, face_number, initials, moment_text, short_id

ACCOUNT = Path(__file__).resolve().parents[2] / "templates" / "account"
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 19, 13, 20, 6, tzinfo=UTC)  # Thursday, 14:20 in Berlin


def render(source: str, **context: object) -> str:
    return engines["django"].from_string(source).render(context)


@pytest.fixture
def in_berlin():
    with timezone.override(BERLIN):
        yield


# the badge table

TABLE = {
    "change": "DRAFT IN_REVIEW APPROVED IN_PROGRESS POST_REVIEW CLOSED REJECTED WITHDRAWN EXPIRED",
    "rule": "AGREED WAITING LAPSED LATER",
    "leg": "WAITING STARTED DONE FAILED ROLLED_BACK SKIPPED",
    "outcome": "SUCCESSFUL SUCCESSFUL_WITH_ISSUES ROLLED_BACK FAILED NOT_DEPLOYED",
    "deployment": "QUEUED RUNNING VERIFYING SUCCEEDED FAILED ABORTING ABORTED UNKNOWN RECONCILING NEEDS_HUMAN REPORTED",
    "verdict": "ALLOW PENDING DENY COULD_NOT_TELL",
    "finding": "BLOCK WAIT WARN PASS OFF",
    "incident": "OPEN MITIGATED RECOVERED RESOLVED REVIEW_OWED",
    "derived": "SCHEDULED OVERDUE BLOCKED ON_HOLD FROZEN LAPSED OPEN DRIFT",
    "notification": "QUEUED SENT FAILED SUPERSEDED SUPPRESSED",
}


def test_the_badge_table_holds_exactly_the_states_of_the_visual_language():
    assert {family: set(badges) for family, badges in BADGES.items()} == {family: set(names.split()) for family, names in TABLE.items()}


@pytest.mark.parametrize(
    ("family", "key", "word", "icon", "tone"),
    [
        ("change", "IN_REVIEW", "In review", "circle-half-2", "wait"),
        ("leg", "FAILED", "Failed", "circle-x", "stop"),
        ("outcome", "FAILED", "Failed", "x", "stop"),
        ("deployment", "NEEDS_HUMAN", "Needs a person", "user-exclamation", "stop"),
        ("verdict", "PENDING", "Not yet", "hourglass-f", "wait"),
        ("incident", "OPEN", "Open", "flame", "stop"),
        ("derived", "OPEN", "Open", "circle-check", "go"),
    ],
)
def test_a_badge_shows_icon_and_word(family, key, word, icon, tone):
    html = render("{% state key family %}", key=key, family=family)

    assert f"tone-{tone}" in html
    assert f"icons.svg#{icon}" in html
    assert html.strip().endswith(f"{word}</span>")


def test_a_badge_takes_another_word_and_a_frame_but_keeps_its_icon():
    html = render('{% state "FROZEN" "derived" word="Until 18:00" chip=True %}')

    assert "Until 18:00" in html
    assert "is-chip" in html
    assert "#snowflake" in html


def test_only_a_running_deployment_turns():
    assert "is-live" in render('{% state "RUNNING" "deployment" %}')
    assert "is-live" not in render('{% state "STARTED" "leg" %}')


def test_a_finding_without_effect_passes():
    assert "Passes" in render('{% state effect "finding" %}', effect=None)


def test_a_state_without_a_badge_is_said_by_name():
    with pytest.raises(LookupError, match="leg state 'LOST'"):
        badge_for("leg", state="LOST")


def test_badge_filters_give_tone_icon_and_word():
    source = '{{ v|badge_tone:"verdict" }} {{ v|badge_icon:"verdict" }} {{ v|badge_word:"verdict" }}'

    assert render(source, v="DENY") == "stop octagon-minus-f No"


# icons and files


def test_an_icon_is_decoration_unless_it_has_a_label():
    assert render('{% icon "snowflake" "s" %}') == (
        '<svg class="icon icon-s" aria-hidden="true"><use href="/static/img/icons.svg#snowflake"/></svg>'
    )
    assert 'role="img" aria-label="frozen &lt;now&gt;"' in render('{% icon "snowflake" label=label %}', label="frozen <now>")


def test_css_links_the_sheets_of_components():
    html = render('{% css "verdict" "rules" %}')

    assert html.count("<link") == 2
    assert "/static/css/verdict.css" in html


# moments


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (9.9, "9 s"),
        (60, "1 min"),
        (250, "4 min 10 s"),
        (3600, "1 h"),
        (7830, "2 h 10 min"),
        (90000, "1 d 1 h"),
        (-90, "1 min 30 s"),
    ],
)
def test_a_span_is_said_with_at_most_two_units(seconds, words):
    assert span_words(seconds) == words
    assert duration(timedelta(seconds=seconds)) == duration(seconds) == words


def test_an_unknown_span_says_so():
    assert duration(None) == "not known"


@pytest.mark.parametrize(
    ("away", "words"),
    [
        (timedelta(seconds=0.4), "now"),
        (timedelta(seconds=40), "in 40 s"),
        (timedelta(hours=2, minutes=10, seconds=59), "in 2 h 10 min"),
        (timedelta(minutes=-4, seconds=-5), "4 min 5 s ago"),
        (timedelta(days=-3, hours=-7), "3 d ago"),
    ],
)
def test_a_distance_is_said_after_the_absolute_time(away, words):
    assert distance_words(NOW + away, now=NOW) == words


@pytest.mark.parametrize(
    ("away", "near", "clock"),
    [
        (timedelta(hours=2, minutes=10), "today 16:30", "16:30"),
        (timedelta(hours=12), "tomorrow 02:20", "Fri 02:20"),
        (timedelta(days=-1), "yesterday 14:20", "Wed 14:20"),
        (timedelta(days=4), "Mon 14:20", "Mon 14:20"),
        (timedelta(days=14), "3 Dec 14:20", "3 Dec 14:20"),
        (timedelta(days=400), "24 Dec 2027 14:20", "24 Dec 2027"),
    ],
)
def test_a_moment_is_as_brief_as_the_reader_needs(away, near, clock):
    assert near_words(NOW + away, zone=BERLIN, now=NOW) == near
    assert clock_words(NOW + away, zone=BERLIN, now=NOW) == clock


def test_without_a_now_the_whole_day_is_named():
    assert near_words(NOW, zone=BERLIN, now=None) == "Thu 19 Nov 2026 14:20"
    assert clock_words(NOW, zone=BERLIN, now=None) == "19 Nov 2026"


def test_full_and_exact_words_name_their_zone():
    assert full_words(NOW, zone=BERLIN) == "Thu 19 Nov 2026, 14:20 CET"
    assert exact_words(NOW) == "Thu 19 Nov 2026, 13:20:06 UTC"


@pytest.mark.usefixtures("in_berlin")
def test_moment_shows_the_readers_zone_utc_on_hover_and_the_distance():
    html = render("{% moment at %}", at=NOW + timedelta(hours=2), now=NOW)

    assert '<time datetime="2026-11-19T15:20:06+00:00" title="Thu 19 Nov 2026, 15:20:06 UTC">today 16:20</time>' in html
    assert ">in 2 h</span>" in html
    assert moment_text(NOW) == "Thu 19 Nov 2026, 14:20 CET"


@pytest.mark.usefixtures("in_berlin")
def test_moment_leaves_the_distance_out_when_asked_or_when_now_is_not_known():
    at = NOW + timedelta(hours=2)

    assert "data-distance" not in render("{% moment at distance=False %}", at=at, now=NOW)
    assert "data-distance" not in render('{% moment at "clock" %}', at=at, now=NOW)
    assert "data-distance" not in render("{% moment at %}", at=at)
    assert "data-distance" in render('{% moment at "full" %}', at=at, shell={"now": NOW})


def test_a_missing_moment_is_said():
    assert "not set" in render("{% moment at %}", at=None)


# identities


@pytest.mark.parametrize(
    ("value", "short"),
    [
        ("9b41c07e5d2f8a16c3e0447b91ad6f028ce5b3d7", "9b41c07e … b3d7"),
        ("sha256:" + "ab" * 32, "sha256: abababab … abab"),
        (bytes.fromhex("00ff" * 16), "00ff00ff … 00ff"),
        (memoryview(b"\x01" * 32), "01010101 … 0101"),
        ("2.4.1", "2.4.1"),
        (None, ""),
    ],
)
def test_short_id_keeps_both_ends(value, short):
    assert short_id(value) == short


@pytest.mark.parametrize(
    ("name", "letters"), [("Bea Owner", "BO"), ("Anna-Maria de Witt", "AW"), ("alice", "AL"), ("", "?"), ("…", "?"), ("Ж", "Ж")]
)
def test_initials_are_at_most_two_letters(name, letters):
    assert initials(name) == letters


def test_a_face_keeps_its_colour():
    assert face_number("Bea Owner") == face_number("Bea Owner")
    assert {face_number(f"person {n}") for n in range(60)} == {1, 2, 3, 4, 5, 6}
    assert "face-machine" in render('{% include "components/face.html" with name="ci" machine=True %}')
    assert 'aria-label="&lt;b&gt; x"' in render('{% include "components/face.html" with name=name %}', name="<b> x")


# hostile text


class Elements(HTMLParser):
    """What a browser would make of a piece of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses |= {value or "" for name, value in attrs if name == "href"}


@pytest.mark.parametrize(
    "character", ["\u202e", "\u2066", "\u200b", "\u200f", "\ufeff", "\u00ad", "\x00", "\x1b", "\u2028", "\ud800", "\U000e0041"]
)
def test_marked_shows_what_hides(character):
    html = mark_hidden(f"a{character}b")

    assert character not in html
    assert f"U+{ord(character):04X}</mark>" in html


def test_marked_escapes_and_leaves_ordinary_text_alone():
    assert mark_hidden("<b onclick=x>&'\" Größe 日本 🚢\n\tend") == "&lt;b onclick=x&gt;&amp;&#x27;&quot; Größe 日本 🚢\n\tend"
    assert mark_hidden(mark_safe("<b>known</b>")) == "<b>known</b>"
    assert isinstance(mark_hidden("x"), SafeString)
    assert render("{{ none|marked }}{{ number|marked }}", none=None, number=7) == "7"


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](data:text/html;base64,xxxx)",
        "![x](https://elsewhere.example/x.png)",
        '<a href="https://x" style="position:fixed" onclick="x()">y</a>',
        "<svg><use href='data:x'/></svg>",
        "[x](JaVaScRiPt&colon;alert(1))",
        "| a |\n|:-:|\n| <iframe> |",
    ],
)
def test_markdown_neutralises_hostile_text(hostile):
    seen = Elements()
    seen.feed(render_markdown(hostile))

    assert seen.tags <= {"p", "a", "table", "thead", "tbody", "tr", "th", "td"}
    assert seen.attributes <= {"href", "rel"}
    assert all(address.startswith("https://") for address in seen.addresses)


def test_markdown_keeps_plain_formatting():
    html = render_markdown(
        "# Way back\n\n- **one**\n- `two`\n\n[doc](https://example.org/a?b=1)\n\n~~gone~~\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    )

    assert "<h4>Way back</h4>" in html
    assert "<li><strong>one</strong></li>" in html
    assert 'href="https://example.org/a?b=1" rel="noopener noreferrer nofollow"' in html
    assert "<s>gone</s>" in html
    assert "<td>2</td>" in html


def test_markdown_shows_hidden_characters_and_breaks_no_link():
    html = render_markdown("pay\u202eload [x](https://a.example/\u200b) `c\u2066`")

    assert "pay⟨U+202E⟩load" in html
    assert "\u200b" not in html
    assert "\u2066" not in html


def test_markdown_of_nothing_is_nothing():
    assert render("{{ none|markdown }}", none=None) == ""


# parts and reach


def test_parts_are_drawn_in_order_and_changed_beats_covered():
    marks = part_marks(covered=["SCOPE", "plan", "period"], changed=["Period"])

    assert [(mark["part"], mark["mark"]) for mark in marks] == [
        ("scope", "on"),
        ("plan", "on"),
        ("rollback", "off"),
        ("period", "changed"),
        ("story", "off"),
    ]
    html = render("{% parts covered=covered %}", covered=["scope"])
    assert 'aria-label="scope covered; plan not covered; rollback not covered; period not covered; story not covered"' in html


def test_a_column_stays_on_the_line():
    end = NOW + timedelta(hours=6)

    assert column(NOW, start=NOW, end=end) == 0
    assert column(NOW + timedelta(hours=3), start=NOW, end=end) == 36
    assert column(NOW - timedelta(hours=9), start=NOW, end=end) == 0
    assert column(NOW + timedelta(days=9), start=NOW, end=end) == 72
    assert column(NOW, start=NOW, end=NOW) == 0


def test_a_reach_has_no_gap_and_shows_a_freeze_only_when_it_is_near():
    lengths = {"deploy": timedelta(minutes=15), "bake": timedelta(minutes=30), "way_back": timedelta(minutes=5)}

    spans = reach_spans(NOW, **lengths, freeze_at=NOW + timedelta(minutes=90))
    far = reach_spans(NOW, **lengths, freeze_at=NOW + timedelta(hours=9))

    assert [span.kind for span in spans] == ["run", "bake", "back", "freeze"]
    assert all(before.end == after.start for before, after in pairwise(spans[:3]))
    assert all(0 <= span.start < span.end <= 73 for span in spans)
    assert [span.kind for span in far] == ["run", "bake", "back"]
    assert [span.kind for span in reach_spans(NOW, deploy=timedelta(0), bake=timedelta(0), way_back=timedelta(0))] == []


@pytest.mark.parametrize("minutes", [(2, 30, 2), (60, 0, 1), (1, 1, 600), (600, 1, 1), (30, 30, 30)])
@pytest.mark.parametrize("freeze", [None, 1.02, 2.5])
def test_words_of_a_reach_cover_no_others(minutes, freeze):
    deploy, bake, way_back = (timedelta(minutes=length) for length in minutes)
    freeze_at = NOW + freeze * (deploy + bake + way_back) if freeze else None

    spans = reach_spans(NOW, deploy=deploy, bake=bake, way_back=way_back, freeze_at=freeze_at)

    edges = [*(span.words_at for span in spans), COLUMNS]
    assert edges[0] >= 0
    for span, following in zip(spans, edges[1:], strict=True):
        assert span.words_at + WIDTHS[span.kind] <= following


@pytest.mark.usefixtures("in_berlin")
def test_reach_says_its_times_in_words():
    html = render(
        "{% reach at d b w freeze %}",
        at=NOW,
        d=timedelta(minutes=15),
        b=timedelta(minutes=30),
        w=timedelta(minutes=5),
        freeze=NOW + timedelta(hours=1),
    )

    assert "deploy 14:20 to 14:35, bake 14:35 to 15:05, way back 15:05 to 15:10, freeze from 15:20" in html
    assert "reach-run from-0" in html


# forms


class Sample(forms.Form):
    version = forms.CharField(help_text="A full commit.")
    sure = forms.BooleanField(label="Sure", required=False)
    up_to = forms.ChoiceField(widget=forms.RadioSelect, choices=[("s", "staging"), ("p", "production")])
    service = forms.ChoiceField(choices=[("a", "a")], required=False)


def test_a_field_names_its_help_and_its_error():
    html = render('{% include "components/field.html" %}', field=Sample({})["version"])

    assert 'class="form-control is-wrong"' in html
    assert 'aria-describedby="id_version_helptext id_version_error"' in html
    assert 'id="id_version_error"' in html
    assert 'id="id_version_helptext"' in html
    assert 'aria-invalid="true"' in html


def test_boxes_stand_under_one_legend_and_an_optional_field_says_so():
    form = Sample()

    assert render('{% include "components/field.html" %}', field=form["up_to"]).count("<legend") == 1
    assert "form-check-input" in render('{% include "components/field.html" %}', field=form["sure"])
    select = render('{% include "components/field.html" %}', field=form["service"])
    assert "form-select" in select
    assert "optional" in select


def test_a_form_shows_what_stops_it_first_and_links_to_the_fields():
    html = render('{% include "components/form.html" %}', form=Sample({"version": "\u202e"}))

    assert html.index('role="alert"') < html.index("<label")
    assert 'href="#id_up_to' in html


def test_a_refused_verb_keeps_its_reason_beside_it():
    refusal = SimpleNamespace(reason="You wrote two of its commits.", cure="Two others can.")
    html = render('{% include "components/verb.html" with url="/x" label="Approve" id="a" %}', refusal=refusal)

    assert 'aria-disabled="true" aria-describedby="a-why"' in html
    assert "You wrote two of its commits. Two others can." in html
    assert "<form" not in html


@pytest.mark.parametrize("number", [400, 403, 404, 409, 429, 500])
def test_an_error_page_stands_without_any_context(number):
    html = render(f'{{% extends "errors/{number}.html" %}}')

    assert f"status {number}" in html.lower()
    assert 'data-page="error"' in html
    assert "<h1>" in html


class Door(forms.Form):
    login = forms.EmailField()
    password = forms.CharField(widget=forms.PasswordInput, help_text="Forgotten?")


@pytest.mark.parametrize("file", sorted(path.name for path in ACCOUNT.glob("*.html")))
def test_an_account_page_stands_in_the_frame_and_keeps_the_voice(file):
    html = render(f'{{% extends "account/{file}" %}}', form=Door())

    assert "<h1>" in html
    assert "icons.svg#brand" in html
    assert not re.search(r"\b(please|oops|sorry|invalid)\b", html, re.IGNORECASE)


def test_a_refusal_page_gives_reason_cure_and_code():
    refusal = SimpleNamespace(reason="The target is on hold.", cure="The commander lifts it.", code="target_held")
    html = render('{% extends "errors/409.html" %}', refusal=refusal)

    assert "The target is on hold. The commander lifts it." in html
    assert "target_held" in html


@pytest.mark.parametrize(
    ("word", "marked"),
    [
        ("p\u0430yments", 1),
        ("\u0441\u043e\u0440", 3),
        ("\uff21\uff22", 2),
        ("\U0001d429ay", 1),
        ("payments", 0),
        ("Zoë Ångström", 0),
        ("Владимир", 0),
        ("A株式", 0),
    ],
    ids=range(8),
)
def test_letters_that_only_look_latin_are_marked_in_what_is_signed(word, marked):
    html = mark_everything(f"<b>{word}\u202e")

    assert html.count('<mark class="unseen"') == marked + 1
    assert html.startswith("&lt;b&gt;")
    assert "\u202e" not in html
