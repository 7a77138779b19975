"""The version that is being asked for, shown while the request form is filled in."""

import re

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from apps.core.pages import PageRequest, render_page
from apps.home.facts.version import version_shown

ROW = re.compile(r"items-[0-9]{1,3}")


@require_safe
def version(request: PageRequest) -> HttpResponse:
    """What the version in a row of the form means, and what it brings."""
    asked_row = request.GET.get("row", "")
    row = asked_row if ROW.fullmatch(asked_row) else ""
    prefix = f"{row}-" if row else ""
    slug, asked = (request.GET.get(f"{prefix}{name}", "").replace("\x00", "") for name in ("service", "commit"))
    found = version_shown(request.user, slug=slug, asked=asked, environments=request.GET.getlist(f"{prefix}environments"))
    context = {"version": found, "row": row, "prefix": prefix, "place": f"version-{row}" if row else "version"}
    return render_page(request, "home/version.html", context, fragment="home/_version.html")
