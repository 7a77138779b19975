"""Markdown as it will be read, before it is sent. Nothing is kept."""

from django.http import HttpResponse
from django.views.decorators.http import require_POST

from apps.core.pages import PageRequest, render_page

FIELDS = ("description", "text")  # of the request form, of a comment
LONGEST = 10_000


@require_POST
def preview(request: PageRequest) -> HttpResponse:
    """What was written, sanitised as everywhere; a part of the page to a script, a page of its own without one."""
    text = next((said for name in FIELDS if (said := request.POST.get(name, "").replace("\x00", ""))), "")
    is_long = len(text) > LONGEST
    context = {"text": text[:LONGEST], "is_long": is_long, "longest": LONGEST}
    return render_page(request, "home/preview.html", context, fragment="home/_preview.html", status=422 if is_long else 200)
