"""Change models: what may be begun from, and how administrators write it."""

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts.access import roles_of
from apps.accounts.facts import are_two_administrators
from apps.accounts.models import Team
from apps.catalog.access import services_for
from apps.changes.access import change_models, get_model, waiting_model_proposals
from apps.changes.actions import propose_change_model, retire_change_model, write_change_model
from apps.changes.content.coverage import Coverage
from apps.changes.content.templates import Template, read_template
from apps.changes.facts import waiting_model_proposal
from apps.changes.models import ChangeModel, ChangeModelProposal, ChangeModelVersion
from apps.changes.rules import why_not_write_model
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import BadContent, Refused
from apps.home.facts.modelling import agreed_words, covered_words, fixed_words, hints_for
from apps.home.filling import place_of, template_values
from apps.home.forms import ModelDraft, NewModelDraft, Steps
from apps.home.forms.rows import MOST_STEPS
from apps.home.sheet import row_values, said_steps, steps_of
from apps.home.typed import OPERATION, Values, changed_rows, completed, query_of, sent_values, without_rows

MANY = ("aspects", "evidence", "covered_environments", "fixed")


@require_safe
def models(request: PageRequest) -> HttpResponse:
    """Every model that is offered, and every wording that waits for a second person."""
    read = [(model, read_template(bytes(model.version.body))) for model in change_models() if model.version]
    rows = [(model, says, covered_words(says.coverage, reader=request.user) if says.coverage else "") for model, says in read]
    refusal = why_not_write_model(roles_of(request.user))
    return render_page(request, "home/change_models.html", {"rows": rows, "refusal": refusal, "waiting": waiting_model_proposals()})


@require_http_methods(["GET", "POST"])
def new_model(request: PageRequest) -> HttpResponse:
    """Write the first version of a model."""
    if request.method == "POST":
        return written(request, None)
    # What is touched stays as the model says unless somebody sets it free.
    return model_page(request, filled(request, completed({}) | {"fixed": ["aspects"]}, None), None)


@require_http_methods(["GET", "POST"])
def change_model(request: PageRequest, slug: str) -> HttpResponse:
    """What a model says; administrators write the next version."""
    version = get_model(slug)
    if request.method == "POST":
        return written(request, version)
    values = template_values(read_template(bytes(version.body))) | own_values(request, version)
    return model_page(request, filled(request, values, version), version)


@require_POST
def model_retirement(request: PageRequest, slug: str) -> HttpResponse:
    """Offer it no more."""
    model = retire_change_model(model_id=get_model(slug).model_id, by=request.user.actor)
    messages.success(request, f"{model.name} is offered no more. What began from it goes on.")
    return redirect("home:change_models")


def own_values(request: PageRequest, version: ChangeModelVersion) -> Values:
    """The values of what only a model has."""
    template = read_template(bytes(version.body))
    days = "" if template.days is None else str(template.days)
    values: Values = {"name": [version.model.name], "use": [template.use], "evidence": sorted(template.evidence), "days": [days]}
    return values | {"kind": [template.kind.value]} | (covered_values(request, template.coverage) if template.coverage else {})


def covered_values(request: PageRequest, coverage: Coverage) -> Values:
    """What is approved beforehand, by the short names of today."""
    services = services_for(request.user).filter(public_id__in=[one.id for one in coverage.services])
    teams = Team.objects.filter(public_id__in=[one.id for one in coverage.teams]).order_by("slug")
    return {
        "pre_approved": ["on"],
        "covered_services": [", ".join(services.values_list("slug", flat=True))],
        "covered_teams": [", ".join(teams.values_list("slug", flat=True))],
        "covered_environments": [str(one.id) for one in coverage.environments],
        "fixed": sorted(coverage.fixed),
    }


def filled(request: PageRequest, values: Values, version: ChangeModelVersion | None) -> dict[str, Any]:
    """The forms with what is there already."""
    initial = {name: texts if name in MANY else "".join(texts[:1]) for name, texts in without_rows(values).items()}
    form = (ModelDraft if version else NewModelDraft)(initial=initial, person=request.user)
    return {"form": form} | {name: Steps(prefix=name, initial=row_values(values, name)) for name in ("plan", "rollback")}


def model_page(request: PageRequest, forms: dict[str, Any], version: ChangeModelVersion | None, *, status: int = 200) -> HttpResponse:
    """The form of a model, or why it is only read."""
    refusal = why_not_write_model(roles_of(request.user))
    context = forms | {"version": version, "model": version.model if version else None, "refusal": refusal, "action": request.path}
    if version:
        context |= in_force(request, version)
    return render_page(request, "home/change_model.html", context, status=status)


def in_force(request: PageRequest, version: ChangeModelVersion) -> dict[str, Any]:
    """What comes of a change that begins from this version, and what waits to take its place."""
    says = read_template(bytes(version.body))
    return {
        "says": says,
        "agreed": agreed_words(version),
        "covered": covered_words(says.coverage, reader=request.user) if says.coverage else "",
        "fixed": fixed_words(says.coverage) if says.coverage else "",
        "hints": hints_for(says.kind),
        "waiting": waiting_model_proposal(version.model.slug),
    }


def written(request: PageRequest, version: ChangeModelVersion | None) -> HttpResponse:
    """Save what was sent, or change its rows."""
    if refusal := why_not_write_model(roles_of(request.user)):
        raise Refused(refusal)
    values = sent_values(request.POST)
    if (operation := OPERATION.fullmatch(request.POST.get("do", ""))) and operation[2] != "items":
        values = changed_rows(values, operation, most=MOST_STEPS)
        return model_page(request, filled(request, values, version), version)
    sent = query_of(values)
    forms: dict[str, Any] = {"form": (ModelDraft if version else NewModelDraft)(sent, person=request.user)}
    forms |= {name: Steps(sent, prefix=name) for name in ("plan", "rollback")}
    made = saved(request, forms, version) if are_valid(forms.values()) else None
    if made is None:
        return model_page(request, forms, version, status=422)
    if isinstance(made, ChangeModelProposal):
        messages.success(request, f"{made.name} is proposed. It holds when another administrator or a release manager agrees.")
        return redirect("home:model_proposal", made.public_id)
    messages.success(request, f"{made.name} is saved. Changes begin from this version from now on.")
    return redirect("home:change_model", slug=made.slug)


def are_valid(forms: Iterable[Any]) -> bool:
    """Whether every field can be read; all are always looked at."""
    return [form.is_valid() for form in forms].count(False) == 0


def saved(request: PageRequest, forms: dict[str, Any], version: ChangeModelVersion | None) -> ChangeModel | ChangeModelProposal | None:
    """The model as it is now, or what is proposed; None where something cannot be taken, which is then said on its field."""
    form = forms["form"]
    template: Template = form.template(plan=steps_of(forms["plan"]), rollback=steps_of(forms["rollback"]))
    verb = propose_change_model if template.coverage and are_two_administrators() else write_change_model
    which = {"model_id": version.model_id} if version else {"slug": form.said("slug")}
    try:
        return verb(name=form.said("name"), template=template, by=request.user.actor, **which)
    except BadContent as error:
        put_errors(forms, error)
        return None


def put_errors(forms: dict[str, Any], error: BadContent) -> None:
    """Say every sentence on its field."""
    form = forms["form"]
    for path, sentences in error.errors.items():
        table, at, name = place_of(path) if path not in form.fields else ("", 0, path)
        rows = said_steps(forms[table]) if table in forms else []
        if at < len(rows):
            rows[at].add_error(name, sentences)
        else:
            form.add_error(name if not table and name in form.fields else None, sentences)
