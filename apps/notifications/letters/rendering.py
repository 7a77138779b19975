"""A letter as a mail: plain text, the same in simple markup, and the headers that let mail programs sort it."""

from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.template.loader import render_to_string
from django.urls import reverse

from apps.core.prose import is_hidden, name_hidden
from apps.core.unmarked import name_unmarked
from apps.notifications.letters.shape import Letter, Line, Section, address_of
from apps.notifications.models import Mail

LONGEST_SUBJECT = 180
INDENT = "  "


def message_of(mail: Mail, letter: Letter, *, thread: str = "") -> EmailMultiAlternatives:
    """The message to hand over. Its id is the row's, so that one that goes out twice is one mail; a thread hangs on what it is about."""
    context = {
        "letter": letter,
        "settings_url": settings_url(),
        "organisation": settings.ORGANISATION,
        "title": header_text(letter.subject),
    }
    message = EmailMultiAlternatives(
        subject=header_text(letter.subject),
        body=text_of(letter),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[mail.person.email],
        headers=headers_of(mail, thread=thread),
    )
    message.attach_alternative(name_unmarked(render_to_string("notifications/mail.html", context)), "text/html")
    return message


def is_address(text: str) -> bool:
    """Whether mail can be sent there: one address and nothing beside it."""
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True


def headers_of(mail: Mail, *, thread: str) -> dict[str, str]:
    """Who it is from for programs: written by a machine, one list, one thread; nothing in it comes from people."""
    host = host_name()
    headers = {
        "Message-ID": f"<{mail.kind_name}.{mail.public_id}@{host}>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "List-Id": f"<changecontrol.{host}>",
        "List-Unsubscribe": f"<{settings_url()}>",
    }
    if thread:
        root = f"<{thread.replace(':', '.')}@{host}>"
        headers |= {"In-Reply-To": root, "References": root}
    return headers


def host_name() -> str:
    """The host of the site, as message ids may hold it."""
    host = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    return "".join(char if char.isascii() and (char.isalnum() or char in "-.") else "-" for char in host)


def settings_url() -> str:
    """Where a person chooses what they are told."""
    return address_of(reverse("notifications:settings"))


def header_text(text: str) -> str:
    """One line that ends no header and turns nothing around."""
    shown = "".join(" " if char.isspace() or is_hidden(char) else char for char in text)
    line = " ".join(shown.split())
    return line if len(line) <= LONGEST_SUBJECT else f"{line[: LONGEST_SUBJECT - 1].rstrip()}…"


def text_of(letter: Letter) -> str:
    """The whole mail as plain text, hidden characters named; our own words and link come before anything that people wrote."""
    parts = [letter.lead, letter.cure, f"{letter.word}:\n{letter.url}"]
    parts += [_section_text(section) for section in letter.sections if section.lines]
    parts.append(
        f"-- \nYou get this because {letter.because}.\nChoose what you are told: {settings_url()}\n"
        f"Change Control of {settings.ORGANISATION}"
    )
    return name_hidden("\n\n".join(parts) + "\n")


def _section_text(section: Section) -> str:
    lines = [_line_text(line) for line in section.lines]
    return "\n".join([section.title.upper(), *(INDENT + line.replace("\n", f"\n{INDENT}{INDENT}") for line in lines)])


def _line_text(line: Line) -> str:
    if line.url:
        return "\n".join(part for part in (line.name, line.text, line.url) if part)
    return f"{line.name}: {line.text}" if line.name else line.text
