"""A hidden character that no template marked is named wherever people read it, and stays in what is sent back."""

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from apps.core.middleware import nothing_hidden
from apps.core.prose import render_markdown
from apps.core.unmarked import name_unmarked

PLAIN = '<p title="Ünï">Größe → 3, “said” … by 王小明\r\n</p>'
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"  # one picture of three
PERSIAN = "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627"  # one name of two words


def test_a_page_without_hidden_characters_stays_as_it_is():
    page = PLAIN.replace("\r\n", "\n")

    assert name_unmarked(page) == page


@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ("<p>Ro\u202esa</p>", "<p>Ro⟨U+202E⟩sa</p>"),
        ("<title>a\u200bb</title>", "<title>a⟨U+200B⟩b</title>"),
        ('<span title="a\u2066b" class="x">c</span>', '<span title="a⟨U+2066⟩b" class="x">c</span>'),
        ('<button aria-label="a\u200fb">c</button>', '<button aria-label="a⟨U+200F⟩b">c</button>'),
        ('<option value="a\u202eb">a\u202eb</option>', '<option value="a\u202eb">a⟨U+202E⟩b</option>'),
        ("<p>a\u3164b \u2800</p>", "<p>a⟨U+3164⟩b ⟨U+2800⟩</p>"),
        ("a\u202e", "a⟨U+202E⟩"),
        ("<p>a\x1bb</p>", "<p>a⟨U+001B⟩b</p>"),
    ],
)
def test_what_is_read_names_them(page: str, shown: str):
    assert name_unmarked(page) == shown


@pytest.mark.parametrize(
    "kept",
    [
        '<textarea name="x">a\u202e<b>b</textarea>',
        '<script type="application/json">{"a": "\u202e"}</script>',
        '<input name="x" value="a\u202eb">',
        '<form data-kept="a\u202eb"><a href="/?q=\u202e">b</a></form>',
    ],
)
def test_what_is_sent_back_keeps_them(kept: str):
    assert name_unmarked(f"{kept}<p>\u202e</p>") == f"{kept}<p>⟨U+202E⟩</p>"


@pytest.mark.parametrize("name", [FAMILY, PERSIAN])
def test_a_joiner_stays_where_it_joins(name: str):
    assert name_unmarked(f"<p>{name}\u200b</p>") == f"<p>{name}⟨U+200B⟩</p>"
    assert name_unmarked("<p>pay\u200dments</p>") == "<p>pay⟨U+200D⟩ments</p>"


def test_a_hidden_character_written_as_an_entity_of_markdown_is_named():
    assert "⟨U+202E⟩" in render_markdown("gpj&#8238;exe")
    assert "\u202e" not in render_markdown("gpj&#x202e;exe [a](https://x.example/ 'b&#8238;')")


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (HttpResponse("<p>\u202e</p>"), "<p>⟨U+202E⟩</p>"),
        (HttpResponse('{"a": "\u202e"}', content_type="application/json"), '{"a": "\u202e"}'),
        (HttpResponse(b"\xe2\x80\xae", content_type="application/octet-stream"), "\u202e"),
        (HttpResponse(""), ""),
    ],
)
def test_pages_alone_are_looked_through(answer: HttpResponse, body: str):
    assert nothing_hidden(lambda request: answer)(RequestFactory().get("/")).content.decode() == body


def test_what_is_sent_in_pieces_is_left_alone():
    pieces = StreamingHttpResponse(iter(["<p>\u202e</p>"]))

    assert nothing_hidden(lambda request: pieces)(RequestFactory().get("/")) is pieces
