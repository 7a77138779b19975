"""A small picture that says whether a place is open, and the address by which others may show it.

The address carries the link's id and our signature of it: the database alone holds nothing that opens a picture."""

import hashlib
from html import escape
from http import HTTPStatus
from uuid import UUID

from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponse

from apps.catalog.models import Target
from apps.gate.judgement import look
from apps.gate.models import BadgeLink
from apps.gate.rules import Question
from apps.gate.rules.standing import RETIRED, UNKNOWN, Standing, standing

SALT, SEPARATOR = "target badge", "~"
LONGEST_WORD = 40
WIDTH, PADDING = 6.3, 12  # of a letter, and around the words
COLOURS = {"go": "#156b3e", "wait": "#855200", "stop": "#b1241d", "freeze": "#0a6080", "unknown": "#6a38a8", "mute": "#505158"}
SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{title}"><title>{title}</title>\
<rect width="{width}" height="20" rx="3" fill="#33343a"/><rect x="{left}" width="{right}" height="20" rx="3" fill="{colour}"/>\
<rect x="{left}" width="4" height="20" fill="{colour}"/><g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">\
<text x="{left_middle}" y="14" textLength="{left_text}" lengthAdjust="spacingAndGlyphs">{place}</text>\
<text x="{right_middle}" y="14" textLength="{right_text}" lengthAdjust="spacingAndGlyphs">{word}</text></g></svg>
"""
NOT_FOUND = Standing("no such badge", "mute")


def key_of(link: BadgeLink) -> str:
    """What its address carries."""
    return _signer().sign(link.public_id.hex)


def id_in(key: str) -> UUID | None:
    """The link that an address names; None for one that nobody here has signed."""
    try:
        return UUID(_signer().unsign(key))
    except (BadSignature, ValueError):
        return None


def live_link(public_id: UUID) -> BadgeLink | None:
    """A link by its id; None for one that has ended, or whose service is restricted now."""
    live = BadgeLink.objects.filter(public_id=public_id, ended_at__isnull=True, target__service__is_restricted=False)
    return live.select_related("target__service", "target__environment").first()


def standing_of(target: Target) -> Standing:
    """How the place stands at this moment."""
    if target.retired_at or target.service.retired_at or target.environment.retired_at:
        return RETIRED
    facts, _ = look(Question(target.service.slug, target.environment.slug, ()))
    return standing(facts) if facts.target is not None and facts.target.pk == target.pk else UNKNOWN


def picture(place: str, said: Standing) -> str:
    """The picture. Its words are its title too, so that it is read aloud."""
    place, word = _short(place), _short(said.word)
    left, right = _width(place), _width(word)
    return SVG.format(
        width=left + right,
        left=left,
        right=right,
        left_middle=left / 2,
        right_middle=left + right / 2,
        left_text=left - PADDING,
        right_text=right - PADDING,
        colour=COLOURS[said.tone],
        place=escape(place),
        word=escape(word),
        title=escape(f"{place}: {word}"),
    )


def place_words(target: Target) -> str:
    """What the left half says: short names, which are no secret of whoever shares the badge."""
    return f"{target.service.slug} {target.environment.slug}"


def badge_answer(request: HttpRequest, svg: str, *, status: int = 200) -> HttpResponse:
    """The picture as an answer: asked for anew each time, 304 where it is the same."""
    tag = f'"{hashlib.sha256(svg.encode()).hexdigest()[:32]}"'
    response = HttpResponse(svg, content_type="image/svg+xml; charset=utf-8", status=status)
    if status == HTTPStatus.OK and request.headers.get("If-None-Match") == tag:
        response = HttpResponse(status=304)
    response["ETag"] = tag
    response["Cache-Control"] = "no-cache, max-age=0, must-revalidate" if status == HTTPStatus.OK else "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_WORD else f"{text[: LONGEST_WORD - 1]}…"


def _width(text: str) -> int:
    return round(len(text) * WIDTH) + PADDING


def _signer() -> Signer:
    return Signer(salt=SALT, sep=SEPARATOR)
