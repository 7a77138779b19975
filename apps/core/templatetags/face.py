"""What templates may say beyond Django's own tags: icons, badges, moments, marks, safe text.

Everything here only shows; nothing queries or decides."""

import zlib
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.forms import BoundField
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.core.badges import badge_for
from apps.core.moments import clock_words, distance_words, exact_words, full_words, near_words, span_words, told_in
from apps.core.parts import part_marks
from apps.core.prose import mark_everything, name_hidden, render_markdown
from apps.core.reach import clocks_of, reach_spans, span_said

register = template.Library()

SIZES = {"": "icon", "s": "icon icon-s", "l": "icon icon-l"}
CONTROLS = {"select": "form-select", "selectmultiple": "form-select", "checkbox": "form-check-input"}
GROUPS = {"radioselect", "checkboxselectmultiple"}
SHORT_FROM = 14  # an identity this short is shown whole


@register.simple_tag
def icon(name: str, size: str = "", label: str = "") -> SafeString:
    """Draw an icon of the sprite; without a label it is decoration and hidden from readers."""
    href = f"{static('img/icons.svg')}#{name}"
    if label:
        return format_html('<svg class="{}" role="img" aria-label="{}"><use href="{}"/></svg>', SIZES[size], label, href)
    return format_html('<svg class="{}" aria-hidden="true"><use href="{}"/></svg>', SIZES[size], href)


@register.simple_tag
def css(*names: str) -> SafeString:
    """Link the style sheets of the components a page uses: `{% css "verdict" "rules" %}`."""
    return format_html_join("\n", '<link rel="stylesheet" href="{}">', ((static(f"css/{name}.css"),) for name in names))


@register.inclusion_tag("components/state.html")
def state(value: object, family: str, word: str = "", *, chip: bool = False, quiet: bool = False) -> dict[str, object]:
    """Draw the badge of one state; WORD replaces the word, never the icon or the tone."""
    badge = badge_for(family, state="PASS" if value is None and family == "finding" else str(value))
    return {
        "tone": badge.tone,
        "icon": badge.icon,
        "word": word or badge.word,
        "live": badge.live,
        "chip": chip,
        "quiet": quiet,
    }


@register.filter
def badge_tone(value: object, family: str) -> str:
    """Return the tone of a state, for what surrounds the badge: `tone-{{ x|badge_tone:"verdict" }}`."""
    return badge_for(family, state=str(value)).tone


@register.filter
def badge_icon(value: object, family: str) -> str:
    """Return the icon of a state."""
    return badge_for(family, state=str(value)).icon


@register.filter
def badge_word(value: object, family: str) -> str:
    """Return the word of a state."""
    return badge_for(family, state=str(value)).word


def page_now(context: template.Context) -> datetime | None:
    """Return the now the page was made for: the view's `now`, else the shell's."""
    shell = context.get("shell") or {}
    now = context.get("now") or shell.get("now")
    return now if isinstance(now, datetime) else None


@register.simple_tag(takes_context=True)
def moment(context: template.Context, at: datetime | None, style: str = "near", *, distance: bool = True) -> SafeString:
    """Show a moment in the reader's zone, the exact UTC moment on hover, the distance after it."""
    if at is None:
        return format_html('<span class="faint">{}</span>', "not set")
    now, zone = page_now(context), timezone.get_current_timezone()
    words = {
        "near": lambda: near_words(at, zone=zone, now=now),
        "clock": lambda: clock_words(at, zone=zone, now=now),
        "full": lambda: full_words(at, zone=zone),
    }[style]()
    shown = format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact_words(at), words)
    if now is None or not distance or style == "clock":
        return shown
    return format_html('{} <span class="meta" data-distance="{}">{}</span>', shown, at.isoformat(), distance_words(at, now=now))


@register.filter
def moment_text(at: datetime) -> str:
    """Say a moment as plain text with its zone, for attributes and mails."""
    return full_words(at, zone=timezone.get_current_timezone())


@register.filter
def duration(value: timedelta | float | None) -> str:
    """Say a span: 250 is "4 min 10 s"."""
    if value is None:
        return "not known"
    return span_words(value.total_seconds() if isinstance(value, timedelta) else value)


@register.filter
def short_id(value: str | bytes | None) -> str:
    """Shorten a digest or commit to its first 8 and last 4 characters."""
    if not value:
        return ""
    text = bytes(value).hex() if isinstance(value, bytes | memoryview) else str(value)
    prefix, _, rest = text.rpartition(":")
    short = rest if len(rest) <= SHORT_FROM else f"{rest[:8]} … {rest[-4:]}"
    return f"{prefix}: {short}" if prefix else short


@register.filter
def initials(name: str) -> str:
    """Return at most two letters for a face."""
    words = [word for word in str(name).replace("-", " ").split() if word[0].isalnum()]
    letters = f"{words[0][0]}{words[-1][0]}" if len(words) > 1 else "".join(words)[:2]
    return letters.upper() or "?"


@register.filter
def face_number(name: str) -> int:
    """Return the colour of a face, 1 to 6, the same for the same name everywhere."""
    return zlib.crc32(str(name).encode("utf-8", "replace")) % 6 + 1


@register.filter
def marked(text: object) -> SafeString:
    """Escape text and mark hidden and look-alike characters, for text that somebody signs or compares."""
    return mark_everything("" if text is None else str(text))


@register.filter
def told(text: object) -> SafeString:
    """A sentence of a rule: marked like all that people typed, its moments in the reader's zone like every other on the page."""
    zone = timezone.get_current_timezone()
    return marked(told_in("" if text is None else str(text), zone=zone, now=datetime.now(zone)))


@register.filter
def named(text: object) -> str:
    """Plain text with hidden characters named, for the title of a tab; it is escaped like any other."""
    return name_hidden(str(text))


@register.filter
def markdown(text: str | None) -> SafeString:
    """Render text somebody wrote as Markdown with a small set of tags."""
    return render_markdown(str(text or ""))


@register.inclusion_tag("components/parts.html")
def parts(covered: Collection[str] = (), changed: Collection[str] = (), label: str = "") -> dict[str, object]:
    """Draw the strip of five parts: which are covered, which changed."""
    marks = part_marks(covered=covered or (), changed=changed or ())
    return {"marks": marks, "label": label or "; ".join(f"{mark['part']} {mark['word']}" for mark in marks)}


@register.inclusion_tag("components/reach.html", takes_context=True)
def reach(
    context: template.Context,
    starts_at: datetime,
    deploy: timedelta,
    bake: timedelta,
    way_back: timedelta,
    freeze_at: datetime | None = None,
) -> dict[str, Any]:
    """Draw the reach of one deployment: deploy, bake, way back, and a freeze that follows closely."""
    zone = timezone.get_current_timezone()
    spans = reach_spans(starts_at, deploy=deploy, bake=bake, way_back=way_back, freeze_at=freeze_at)
    label = ", ".join(span_said(span, zone=zone) for span in spans)
    return {"spans": spans, "clocks": clocks_of(spans, zone=zone), "label": label, "tone": context.get("tone") or "ink"}


@register.filter
def control(field: BoundField) -> SafeString:
    """Draw a form field's widget with our classes; the descriptions are Django's own."""
    kind = field.widget_type
    if kind in GROUPS:
        return field.as_widget()
    classes = [str(field.field.widget.attrs.get("class", "")), CONTROLS.get(kind, "form-control")]
    if field.errors:
        classes.append("is-wrong")
    return field.as_widget(attrs={"class": " ".join(filter(None, classes))})


@register.filter
def is_group(field: BoundField) -> bool:
    """Say whether a field is drawn as several boxes under one legend."""
    return field.widget_type in GROUPS
