"""Signing: the page, the statement that is put before a person, and the signature. Nothing is decided before the last step."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.factors import prove_by_code, prove_by_password, relying_party
from apps.approvals.actions import draft_statement, look_at_change, sign_statement
from apps.approvals.models import Decision, SignOff
from apps.approvals.rules import PASSKEY, PASSWORD_AND_CODE
from apps.approvals.statement import Statement, read_statement, statement_bytes
from apps.approvals.steps import Choice, Signed, proposed_statement, signer
from apps.changes.access import get_change
from apps.changes.models import Change
from apps.core.assertions import NotAnAssertion, read_assertion
from apps.core.locks import database_now
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import BadContent, Refusal, Refused
from apps.home.deciding_forms import Look, NeededReason, SignOffChoice, SignOffProof
from apps.home.facts.comparing import revision_with
from apps.home.facts.sign_off_page import sign_off_page
from apps.home.facts.signing_panel import panel_of, statement_changes
from apps.home.sealed import seal, unseal

STALE = "stale_revision"
NO_ANSWER = "Your passkey did not answer. Press the button again and follow your device."


@dataclass(frozen=True, slots=True)
class Put:
    """A statement that is put before a person: the one it replaces, and what they filled in."""

    data: bytes
    older: bytes | None = None
    proof: SignOffProof | None = None


@require_http_methods(["GET", "POST"])
def sign_off(request: PageRequest, ref: str) -> HttpResponse:
    """Read what is asked for; sign the statement that was put before you. What was not taken is told beside a new one."""
    change = get_change(request.user, ref)
    if request.method == "GET":
        return sign_off_answer(request, change, SignOffChoice())
    form = SignOffProof(request.POST)
    form.full_clean()
    try:
        data = unseal(form.cleaned_data["statement"], request)
    except Refused as error:
        return sign_off_answer(request, change, SignOffChoice(), refusal=error.refusal)
    try:
        given = sign(request, change, form, data=data)
    except BadContent as error:
        form.put_errors(error.errors)
        return sign_off_answer(request, change, chosen_in(read_statement(data)), put=Put(data, proof=form), status=422)
    except Refused as error:
        return put_anew(request, change, data=data, refusal=error.refusal)
    messages.success(request, done_words(given))
    return redirect("home:change", ref=change.ref)


@require_POST
def sign_off_statement(request: PageRequest, ref: str) -> HttpResponse:
    """Put the statement before the person who decided; nothing is signed by it."""
    change, form = get_change(request.user, ref), SignOffChoice(request.POST)
    if not form.is_valid():
        return sign_off_answer(request, change, form, status=422)
    by = signer(request.user)
    try:
        data = draft_statement(change_id=change.pk, choice=form.choice, by=by)
    except BadContent as error:
        form.put_errors(error.errors)
        return sign_off_answer(request, change, form, status=422)
    except Refused as error:
        return sign_off_answer(request, get_change(request.user, ref), form, refusal=error.refusal)
    look_at_change(change_id=change.pk, revision_digest=form.choice.revision_digest, by=by)
    return sign_off_answer(request, change, form, put=Put(data))


@require_POST
def look(request: PageRequest, ref: str) -> HttpResponse:
    """Keep which revision was looked at; the page sends it by itself when it is left."""
    change, form = get_change(request.user, ref), Look(request.POST)
    if not form.is_valid():
        return HttpResponse(status=422)
    look_at_change(change_id=change.pk, revision_digest=form.cleaned_data["revision_digest"], by=request.user.actor)
    if "by_itself" in request.POST:
        return HttpResponse(status=204)
    messages.success(request, "When you open this page again, it begins with what changed from now on.")
    return redirect("home:sign_off", ref=change.ref)


def sign(request: PageRequest, change: Change, form: SignOffProof, *, data: bytes) -> SignOff:
    """Prove who signs, then sign."""
    signed = signed_by(request, form, data=data, way=read_statement(data).by.get("credential", ""))
    return sign_statement(change_id=change.pk, signed=signed, by=signer(request.user))


def signed_by(request: PageRequest, form: SignOffProof, *, data: bytes, way: str) -> Signed:
    """A statement with what proves that this person signs it. A wrong password is counted whatever comes after it."""
    person, given = request.user, form.cleaned_data
    by = signer(person)
    if way == PASSKEY:
        party = relying_party()
        try:
            return Signed(data, assertion=read_assertion(given["credential"], rp_id=party.id, origin=party.origin))
        except NotAnAssertion as error:
            raise BadContent({"credential": [NO_ANSWER]}) from error
    if way == PASSWORD_AND_CODE:
        return Signed(data, proved=prove_by_code(person, password=given["password"], code=given["code"], by=by))
    return Signed(data, proved=prove_by_password(person, password=given["password"], by=by))


def put_anew(request: PageRequest, change: Change, *, data: bytes, refusal: Refusal) -> HttpResponse:
    """After a refusal: the same decision in a new statement with what differs, or where none can be made, the page."""
    change, said, by = get_change(request.user, change.ref), read_statement(data), signer(request.user)
    form = chosen_in(said)
    try:
        choice = Choice(said.decision, said.revision_digest, said.reason)
        anew = statement_bytes(proposed_statement(change, choice, by=by, at=database_now()))
    except (BadContent, Refused):
        return sign_off_answer(request, change, form, refusal=refusal)
    return sign_off_answer(request, change, form, refusal=refusal, put=Put(anew, older=data))


def chosen_in(said: Statement) -> SignOffChoice:
    """The form as it was filled in before the statement was made of it."""
    return SignOffChoice({"decision": said.decision, "revision_digest": said.revision_digest, "reason": said.reason})


def done_words(given: SignOff) -> str:
    """What to say when it is done."""
    if given.decision == Decision.REJECT:
        return f"You rejected {given.change.ref}. It is over; a copy of it can be asked for."
    return f"You signed {given.change.ref}. Nothing is deployed by it; you can withdraw it until a deployment begins."


def sign_off_answer(
    request: PageRequest,
    change: Change,
    form: SignOffChoice,
    *,
    refusal: Refusal | None = None,
    put: Put | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page with the decision, or with a statement; after a late answer with the revision that was read beside the newest."""
    seen = revision_with(change, form.data.get("revision_digest", "")) if refusal and refusal.code == STALE else None
    now = timezone.now()
    context = {
        "now": now,
        "page": sign_off_page(change, request.user, now=now, seen=seen),
        "change": change,
        "form": form,
        "send_back": NeededReason(auto_id="return_%s"),
        "refusal": refusal,
        "is_stale": seen is not None,
        **(shown(put, request, change) if put else {}),
    }
    fragment = "" if refusal else "home/_sign.html" if put else "home/_decide.html"
    response = render_page(request, "home/sign_off.html", context, fragment=fragment, status=refusal.status if refusal else status)
    if refusal:  # more than the panel differs: what was asked for as a fragment becomes the page
        response["HX-Retarget"], response["HX-Reswap"] = "body", "innerHTML show:window:top"
    return response


def shown(put: Put, request: PageRequest, change: Change) -> dict[str, object]:
    """What the panel shows of a statement."""
    return {
        "panel": panel_of(change, request.user, put.data),
        "proof": put.proof or SignOffProof(),
        "sealed": seal(put.data, request),
        "differs": statement_changes(put.older, put.data) if put.older else [],
    }
