"""The audit stream for those who must trust it."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlencode
from uuid import UUID

from django.http import FileResponse, HttpResponse, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_safe

from apps.accounts.access import has_role
from apps.accounts.roles import Role
from apps.audit.entries import read_reference
from apps.audit.export import export_file
from apps.audit.seal import standing
from apps.audit.stream import StreamFilter, latest
from apps.audit.vocabulary import Event
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import Refused, not_allowed
from apps.home.facts.naming import told

PAGE = 50
LONGEST_NAME = 80
NOT_AN_AUDITOR = not_allowed(
    "not_an_auditor",
    "The whole stream is for auditors: it tells of restricted services too.",
    "An administrator can give you the role of auditor.",
)
GROUPS = sorted({event.value.partition(".")[0] for event in Event})


@require_safe
def audit(request: PageRequest) -> HttpResponse:
    """The newest entries, by what they are about and by kind."""
    if not has_role(request.user, Role.AUDITOR):
        raise Refused(NOT_AN_AUDITOR)
    asked = Asked.of(request.GET)
    found = latest(asked.wanted, limit=PAGE + 1, before=asked.before)
    older = f"{reverse('home:audit')}?{urlencode(asked.words | {'before': found[PAGE - 1].id})}" if len(found) > PAGE else ""
    context = {"entries": told(found[:PAGE]), "groups": GROUPS, "older_url": older, "standing": standing(), **asked.words}
    return render_page(request, "home/audit.html", context)


@require_safe
def audit_export(request: PageRequest) -> FileResponse:
    """Everything the verifier needs, as one file."""
    if not has_role(request.user, Role.AUDITOR):
        raise Refused(NOT_AN_AUDITOR)
    return FileResponse(export_file(), as_attachment=True, filename="changecontrol-audit.jsonl", content_type="application/jsonl")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for; what cannot be read is left out."""

    group: str
    about: str
    before: UUID | None

    @classmethod
    def of(cls, given: QueryDict) -> Self:
        """Read the address."""
        group, about = given.get("group", ""), given.get("about", "")
        readable = ":" in about and "\x00" not in about and len(about) <= LONGEST_NAME
        return cls(group if group in GROUPS else "", about if readable else "", known_id(given.get("before", "")))

    @property
    def words(self) -> dict[str, object]:
        """The filter as the form shows it and the address carries it."""
        return {"group": self.group, "about": self.about}

    @property
    def wanted(self) -> StreamFilter:
        """The filter as the stream reads it."""
        events = [event for event in Event if self.group and event.value.startswith(f"{self.group}.")]
        return StreamFilter(events=events, about=(read_reference(self.about),) if self.about else ())


def known_id(text: str) -> UUID | None:
    """An entry's id from the address; None for anything else."""
    try:
        return UUID(text)
    except ValueError:
        return None
