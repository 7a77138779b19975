"""The list of changes: the page, its suggestions, its export. A GET shows; it never writes."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from apps.changes.access import get_change, get_saved_search
from apps.changes.actions import remove_search, save_search, unwatch_change, watch_change
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import BadContent
from apps.home.facts.awaited import awaited
from apps.home.facts.exporting import EXPORTED, csv_lines
from apps.home.facts.jumping import address_of
from apps.home.facts.listing import USUAL, VIEWS, Ask, Listing, found_by, listing, saved_searches
from apps.home.facts.suggesting import suggestions
from apps.home.search.grammar import LONGEST, parse, printed
from apps.home.search_forms import NamedSearch

LONGEST_CURSOR = 1_000
# Column, the sort it asks for first, and the one it asks for next.
COLUMNS = (
    ("Change", "title", "z-a"),
    ("State", "", ""),
    ("Ladder", "", ""),
    ("Slot", "", ""),
    ("Until", "until", "latest"),
    ("Risk", "risk", "safest"),
    ("Asked by", "", ""),
)


@require_safe
def changes(request: PageRequest) -> HttpResponse:
    """The changes a search means, a page at a time; a number alone leads to what it names."""
    ask = asked(request)
    if not ask.after and (there := address_of(request.user, ask.text)):
        return redirect(there)
    return list_answer(request, NamedSearch())


def list_answer(request: PageRequest, form: NamedSearch, *, ask: Ask | None = None, status: int = 200) -> HttpResponse:
    """The whole list page."""
    ask = ask or asked(request)
    kept = saved_searches(request.user)
    now = timezone.now()
    found = listing(request.user, ask, now=now, beside=[kept])
    rows = [(row, awaited(row.change, row.legs, starts_at=row.starts_at, now=now)) for row in found.rows]
    context: dict[str, Any] = {"rows": rows, "found": found, "ask": ask, "kept": kept, "form": form, "views": views(ask, [*VIEWS.items()])}
    context |= {"kept_views": views(ask, [(one.name, one.text) for one in kept]), "columns": columns(ask, found)}
    context |= {"newest_url": address(ask) if ask.after else "", "export_url": f"{reverse('home:changes_export')}{address(ask)}"}
    context |= {"older_url": address(ask, after=found.next_cursor) if found.next_cursor else "", "exported": EXPORTED}
    context |= {"tokens": [(one, address(ask, q=one.without)) for one in found.tokens], "is_usual": ask.text == USUAL}
    return render_page(request, "home/changes.html", context, status=status)


def asked(request: PageRequest) -> Ask:
    """What the address asks for; without `q` the open changes, with an empty one all of them."""
    given = request.GET
    text = given.get("q", USUAL)[: LONGEST + 1].strip()
    return Ask(text, given.get("sort", "newest")[:20], given.get("after", "")[:LONGEST_CURSOR])


def address(ask: Ask, **more: str) -> str:
    """The list's address with something of it changed."""
    words = QueryDict(mutable=True)
    words["q"] = more.get("q", ask.text)
    if (sort := more.get("sort", ask.sort)) != "newest":
        words["sort"] = sort
    if after := more.get("after"):
        words["after"] = after
    return f"?{words.urlencode()}"


def views(ask: Ask, known: list[tuple[str, str]]) -> list[tuple[str, str, bool]]:
    """Searches with a name: the name, where it leads, whether it is the one that is shown."""
    here = printed(parse(ask.text))
    return [(name, address(ask, q=text), printed(parse(text)) == here) for name, text in known]


def columns(ask: Ask, found: Listing) -> list[dict[str, str]]:
    """The heads of the table; those that sort lead on to the other direction of the one that is on."""
    heads = []
    for word, first, second in COLUMNS:
        on = found.order.key if found.order.key in {first, second} and first else ""
        goes = address(ask, sort=second if on == first else first) if first else ""
        heads.append({"word": word, "url": goes, "sorted": ("descending" if found.order.falls else "ascending") if on else ""})
    return heads


@require_safe
def changes_suggestions(request: PageRequest) -> HttpResponse:
    """What could stand where somebody is writing; asked for without a script, the list itself."""
    if not request.htmx:
        return list_answer(request, NamedSearch())
    text = request.GET.get("q", "")[: LONGEST + 1]
    found = suggestions(request.user, text)
    return render_page(request, "home/_suggestions.html", {"found": found})


@require_safe
def changes_export(request: PageRequest) -> StreamingHttpResponse | HttpResponse:
    """The whole search as a table for a spreadsheet, streamed; what cannot be read is told in its place."""
    ask = asked(request)
    wanted, _, order, problems = found_by(request.user, ask.text, sort=ask.sort, now=timezone.now())
    if problems:
        said = "\n".join(f"{one.term}: {one.message} {one.cure}" for one in problems)
        return HttpResponse(f"{said}\n", status=422, content_type="text/plain; charset=utf-8")
    answer = StreamingHttpResponse(csv_lines(wanted, order), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="changes-{timezone.localdate():%Y-%m-%d}.csv"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


@require_POST
def saved_search(request: PageRequest) -> HttpResponse:
    """Keep a search under a name; the same name again changes what it holds."""
    form = NamedSearch(request.POST)
    if form.is_valid():
        try:
            save_search(name=form.cleaned_data["name"], text=form.cleaned_data["q"], by=request.user.actor)
        except BadContent as error:
            form.put_errors(error.errors)
        else:
            return redirect(f"{reverse('home:changes')}{address(Ask(form.cleaned_data['q']))}")
    return list_answer(request, form, ask=Ask(request.POST.get("q", "")[: LONGEST + 1].strip()), status=422)


@require_POST
def saved_search_removal(request: PageRequest) -> HttpResponse:
    """Forget a search one kept."""
    kept = get_saved_search(request.user, request.POST.get("name", ""))
    remove_search(name=kept.name, by=request.user.actor)
    return redirect("home:changes")


@require_POST
def change_watch(request: PageRequest, ref: str) -> HttpResponse:
    """Be told of what happens to a change."""
    change = get_change(request.user, ref)
    watch_change(change_id=change.pk, by=request.user.actor)
    messages.success(request, f"You watch {change.ref}: you are told of what happens to it.")
    return redirect("home:change", ref=change.ref)


@require_POST
def change_watch_end(request: PageRequest, ref: str) -> HttpResponse:
    """Be told no more."""
    change = get_change(request.user, ref)
    unwatch_change(change_id=change.pk, by=request.user.actor)
    messages.success(request, f"You watch {change.ref} no more.")
    return redirect("home:change", ref=change.ref)
