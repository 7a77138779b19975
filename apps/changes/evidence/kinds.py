"""What bytes are, found by reading them, whatever their name says; and what a link is as bytes. Pure."""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from apps.changes.evidence.junit import NoReport, read_xml
from apps.changes.evidence.sarif import count_sarif, is_sarif
from apps.core.canonical import canonical_bytes
from apps.core.refusals import BadContent
from apps.core.texts import why_not_line

LONGEST_LINK, LONGEST_NAME = 2000, 120
LOOKED_AT = 4096
DIGITS = 4000
MARK = b"\xef\xbb\xbf"


class Kind(StrEnum):
    """What evidence can be."""

    JUNIT = "JUNIT"
    SARIF = "SARIF"
    LINK = "LINK"
    TEXT = "TEXT"
    JSON = "JSON"
    XML = "XML"
    HTML = "HTML"
    IMAGE = "IMAGE"
    PDF = "PDF"
    ARCHIVE = "ARCHIVE"
    FILE = "FILE"


MAGIC = (
    (b"\x89PNG\r\n\x1a\n", Kind.IMAGE),
    (b"\xff\xd8\xff", Kind.IMAGE),
    (b"GIF87a", Kind.IMAGE),
    (b"GIF89a", Kind.IMAGE),
    (b"%PDF-", Kind.PDF),
    (b"PK\x03\x04", Kind.ARCHIVE),
    (b"PK\x05\x06", Kind.ARCHIVE),
    (b"\x1f\x8b", Kind.ARCHIVE),
    (b"BZh", Kind.ARCHIVE),
    (b"\xfd7zXZ\x00", Kind.ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", Kind.ARCHIVE),
    (b"\x28\xb5\x2f\xfd", Kind.ARCHIVE),
)
HTML_BEGINS = (
    b"<!doctype html",
    b"<html",
    b"<head",
    b"<body",
    b"<script",
    b"<iframe",
    b"<img",
    b"<a ",
    b"<div",
    b"<p>",
    b"<style",
    b"<svg",
)
# What a name promises; any other ending promises nothing.
PROMISES = {
    "xml": {Kind.JUNIT, Kind.XML},
    "json": {Kind.JSON, Kind.SARIF, Kind.LINK},
    "sarif": {Kind.SARIF},
    "html": {Kind.HTML},
    "htm": {Kind.HTML},
    "pdf": {Kind.PDF},
    "png": {Kind.IMAGE},
    "jpg": {Kind.IMAGE},
    "jpeg": {Kind.IMAGE},
    "gif": {Kind.IMAGE},
    "zip": {Kind.ARCHIVE},
    "gz": {Kind.ARCHIVE},
    "txt": {Kind.TEXT, Kind.JSON, Kind.XML, Kind.HTML, Kind.JUNIT, Kind.SARIF, Kind.LINK},
    "md": {Kind.TEXT, Kind.HTML},
    "log": {Kind.TEXT, Kind.JSON},
}
WORDS = {
    Kind.JUNIT: "a JUnit report",
    Kind.SARIF: "a SARIF log",
    Kind.LINK: "a link",
    Kind.TEXT: "plain text",
    Kind.JSON: "JSON",
    Kind.XML: "XML",
    Kind.HTML: "HTML",
    Kind.IMAGE: "an image",
    Kind.PDF: "a PDF document",
    Kind.ARCHIVE: "a packed archive",
    Kind.FILE: "bytes of no known kind",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What bytes turned out to be, and the counts in them."""

    kind: Kind
    counted: dict[str, Any] = field(default_factory=dict)
    link: str = ""


def look_at(body: bytes, *, name: str) -> Found:
    """What the bytes are; raises BadContent for XML that attacks or breaks off, and for a name that promises something else."""
    if not body:
        raise BadContent({"file": ["The file is empty. Choose another one."]})
    found = _look(body, ending := name.rpartition(".")[2].lower() if "." in name else "")
    promised = PROMISES.get(ending)
    if promised and found.kind not in promised:
        raise BadContent(
            {"file": [f"{name} is named .{ending} and holds {WORDS[found.kind]}. Choose the right file, or give it its own name."]}
        )
    return found


def _look(body: bytes, ending: str) -> Found:
    for begin, kind in MAGIC:
        if body.startswith(begin):
            return Found(kind)
    if body.startswith(b"RIFF") and body[8:12] == b"WEBP":
        return Found(Kind.IMAGE)
    start = body.removeprefix(MARK)[:LOOKED_AT].lstrip()
    if start.lower().startswith(HTML_BEGINS):
        return Found(Kind.HTML)
    if start.startswith(b"<") or body.startswith((b"\xff\xfe<", b"\xfe\xff\x00<")):
        return _xml(body, ending)
    if start[:1] in {b"{", b"["}:
        return _json(body)
    return Found(Kind.TEXT if _is_text(body) else Kind.FILE)


def _xml(body: bytes, ending: str) -> Found:
    try:
        report = read_xml(body)
    except NoReport as error:
        if ending == "xml" or b"<testsuite" in body[:LOOKED_AT]:
            raise BadContent({"file": [str(error)]}) from error
        return Found(Kind.TEXT if _is_text(body) else Kind.FILE)
    if report.root.lower() == "html":
        return Found(Kind.HTML)
    return Found(Kind.JUNIT, report.counted) if report.is_junit else Found(Kind.XML)


def _json(body: bytes) -> Found:
    try:
        document = json.loads(body, parse_int=_number, parse_constant=str)
    except (ValueError, RecursionError):  # also bytes that are no UTF-8, 16 or 32
        return Found(Kind.TEXT if _is_text(body) else Kind.FILE)
    if is_sarif(document):
        return Found(Kind.SARIF, count_sarif(document))
    return _link(document, body) or Found(Kind.JSON)


def _link(document: object, body: bytes) -> Found | None:
    """The document that a link is kept as; uploaded as a file it is the same link."""
    link = document.get("link") if isinstance(document, dict) else None
    if not isinstance(link, str) or _why_not_link(link) or link_bytes(link) != body:
        return None
    return Found(Kind.LINK, link=link)


def _number(text: str) -> int:
    """A whole number; of a length that is read in no time."""
    return int(text[:DIGITS])


def _is_text(body: bytes) -> bool:
    if b"\x00" in body:
        return False
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def link_bytes(address: str) -> bytes:
    """The document that binds a link; raises BadContent for anything but https."""
    address = address.strip()
    if said := _why_not_link(address):
        raise BadContent({"link": [said]})
    return canonical_bytes({"schema": 1, "link": address})


def _why_not_link(address: str) -> str | None:
    if said := why_not_line(address, longest=LONGEST_LINK):
        return said
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "This is no address. Write one like https://ci.example.org/runs/12."
    if parts.scheme != "https" or not host or not address.isascii() or any(char in address for char in ' "<>\\^`{|}'):
        return "A link begins with https:// and names a host. Write one like https://ci.example.org/runs/12."
    if parts.username or parts.password:
        return "The address holds a name or a password, and everybody who sees the change reads it. Remove it."
    return None
