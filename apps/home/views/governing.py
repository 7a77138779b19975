"""The audit stream for those who must trust it."""

from uuid import UUID

from django.http import FileResponse, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from apps.accounts.access import has_any_role
from apps.accounts.roles import Role
from apps.audit.entries import read_reference
from apps.audit.export import export_file
from apps.audit.stream import StreamFilter, latest
from apps.audit.vocabulary import Event
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import Refused, not_allowed
from apps.home.facts.naming import told

PAGE = 50
READERS = (Role.AUDITOR, Role.ADMINISTRATOR)
NOT_A_READER = not_allowed(
    "not_an_auditor", "The whole stream is for auditors and administrators.", "An administrator can give you the role of auditor."
)
GROUPS = sorted({event.value.partition(".")[0] for event in Event})


@require_safe
def audit(request: PageRequest) -> HttpResponse:
    """The newest entries, by what they are about and by kind."""
    if not has_any_role(request.user, READERS):
        raise Refused(NOT_A_READER)
    group, about, before = request.GET.get("group", ""), request.GET.get("about", ""), request.GET.get("before", "")
    events = [event for event in Event if event.value.startswith(f"{group}.")] if group in GROUPS else []
    names = (read_reference(about),) if ":" in about and "\x00" not in about else ()
    found = latest(StreamFilter(events=events, about=names), limit=PAGE + 1, before=known_id(before))
    older = (
        f"{reverse('home:audit')}?group={group if events else ''}&about={about if names else ''}&before={found[PAGE - 1].id}"
        if len(found) > PAGE
        else ""
    )
    context = {
        "entries": told(found[:PAGE]),
        "groups": GROUPS,
        "group": group if events else "",
        "about": about if names else "",
        "older_url": older,
    }
    return render_page(request, "home/audit.html", context)


def known_id(text: str) -> UUID | None:
    """An entry's id from the address; None for anything else."""
    try:
        return UUID(text)
    except ValueError:
        return None


@require_safe
def audit_export(request: PageRequest) -> FileResponse:
    """Everything the verifier needs, as one file."""
    if not has_any_role(request.user, READERS):
        raise Refused(NOT_A_READER)
    return FileResponse(export_file(), as_attachment=True, filename="changecontrol-audit.jsonl", content_type="application/jsonl")
