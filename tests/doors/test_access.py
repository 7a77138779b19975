"""Who comes through which door, for every address: strangers, each role, outsiders of a restricted service, readers of drafts."""

import pytest
from django.http import HttpResponse
from django.urls import reverse

from tests.doors.access_table import ANSWERED, EVERYBODY, TABLE, Door
from tests.doors.crawl import read
from tests.doors.desk import Desk
from tests.doors.routes import ROUTES
from tests.doors.town import PEOPLE, Town, undone
from tests.doors.values import UNKNOWN

PAGES = sorted(name for name, route in ROUTES.items() if not route.is_api)
NAMED = [
    name
    for name in PAGES
    if TABLE.get(name)
    and ROUTES[name].arguments
    and not name.startswith(
        (
            "account",
            "mfa_",
            "gate_pages:",
            "catalog:environment",
            "home:environment",
            "home:change_model",
            "home:model",
            "home:gate_token",
            "home:trust",
            "home:issuer",
        )
    )
]
ABOUT_CHANGES = [name for name in PAGES if "ref" in ROUTES[name].arguments]
# Names that the path of each route is filled with where nothing needs to be there.
PLAIN = {
    "public_id": UNKNOWN,
    "leg_id": UNKNOWN,
    "leg": UNKNOWN,
    "entry_id": UNKNOWN,
    "evaluation_id": UNKNOWN,
    "deployment_id": UNKNOWN,
    "ref": "CHG-1",
    "role": "operator",
}
PLAIN |= {"slug": "hall", "environment": "arena", "number": "1", "identity_id": "1", "grant_id": "1", "uidb36": "1", "key": "x"}
# Its form stands on no page of an installation that is set up.
FORMLESS = {"home:first_run", "account_set_password", "account_reset_password_from_key", "account_signup"}
FOREIGN = ("account_", "mfa_")  # allauth's: they lead on where others refuse
WITHOUT_A_PROVIDER = {"accounts:single_sign_on_link"}  # its button stands nowhere here
LEADS_BACK = {"home:home", "mfa_authenticate", "mfa_login_webauthn"}  # to the page where signing in begins
ALL = [name for name in PEOPLE if name != "insider"]  # who is nobody outside that team


def address_of(route: str, **parts: str) -> str:
    return reverse(route, kwargs={name: parts.get(name) or PLAIN[name] for name in ROUTES[route].arguments})


def asks_to_sign_in(answer: HttpResponse) -> bool:
    return answer.status_code == 302 and answer["Location"].startswith(reverse("account_login"))


def test_every_address_is_classified():
    assert TABLE.keys() == ROUTES.keys()


@pytest.mark.parametrize("route", ROUTES)
def test_stranger_is_let_in_only_through_open_doors(desk: Desk, route: str):
    for method in ("get", "post", "put", "delete"):
        with undone():
            answer = desk.client("stranger").generic(method.upper(), address_of(route), "{}", content_type="application/json")
            unchanged = not desk.changed()

        match TABLE[route].door:
            case Door.OPEN:
                assert not asks_to_sign_in(answer) or route in LEADS_BACK
            case Door.SIGNED_IN:
                assert asks_to_sign_in(answer), (method, answer.status_code)
                assert unchanged
            case Door.TOKEN:
                assert answer.status_code in {401, 405}
                assert answer["Content-Type"] == "application/problem+json"
                assert unchanged


@pytest.mark.parametrize("route", [name for name in PAGES if TABLE.get(name)])
def test_page_is_read_by_those_who_may_and_changes_nothing(desk: Desk, route: str):
    """Not undone: the fixture behind every test sees whatever a GET changed."""
    reads, addresses = TABLE[route].reads, desk.pages.get(route, [])
    if not reads or not addresses:
        assert not reads or TABLE[route].door is Door.OPEN, "no page of it was found"
        return
    # Where everybody may read, the one without any role and one more stand for all.
    for who in some_of(reads, route):
        answer = desk.client(who).get(addresses[0])
        read(answer)
        assert answer.status_code in ({200} if who in reads else refused(route)) or TABLE[route].door is Door.OPEN, who
    assert read(desk.client("chief").head(addresses[0])) == b""


def refused(route: str) -> set[int]:
    """How those are answered who may not."""
    return {302, 403} if route.startswith(FOREIGN) else {403}


def some_of(named: frozenset[str], route: str) -> list[str]:
    """Everybody; where all may, the one without any role and one more stand for the others."""
    return ["nobody", ALL[PAGES.index(route) % len(ALL)]] if named == EVERYBODY else ALL


@pytest.mark.parametrize("route", [name for name in PAGES if TABLE.get(name) and TABLE[name].door is Door.SIGNED_IN])
def test_form_is_taken_from_those_who_may_and_refused_to_everybody_else(desk: Desk, route: str):
    acts, forms = TABLE[route].acts, desk.taken(route)
    assert (bool(acts) and route not in ANSWERED) == bool(forms), "a form where none is expected, or none where one is"
    for found in forms:
        for who in some_of(acts, route):
            sent = desk.send(found, who=who)
            if who in acts:
                assert sent.answer.status_code not in {403, 404}, (who, found.address, sent.page[-3000:])
            else:
                assert sent.answer.status_code in {404, *refused(route)}, (who, found.address)
                assert not sent.left_traces


@pytest.mark.parametrize("route", [name for name in PAGES if TABLE.get(name) and TABLE[name].door is Door.SIGNED_IN])
def test_address_takes_its_own_methods_alone(desk: Desk, route: str):
    address = (desk.pages.get(route) or [address_of(route)])[0]
    if not TABLE[route].reads and desk.taken(route):
        assert desk.client("chief").get(desk.taken(route)[0].form.action).status_code == 405
    if not TABLE[route].acts and not route.startswith(FOREIGN) and route not in WITHOUT_A_PROVIDER:
        assert desk.client("chief").post(address).status_code == 405
    for method in ("put", "patch", "delete", "trace"):
        with undone():
            answer = getattr(desk.client("chief"), method)(address)
            assert answer.status_code == 405 or (route.startswith(FOREIGN) and answer.status_code < 500)


def restricted_parts(town: Town, route: str) -> dict[str, str]:
    """What names the things of the restricted service."""
    hidden = town.restricted
    numbers = {"incidents:": hidden.incident.pk, "home:exception": hidden.exception.pk, "deployments:undeclared": hidden.undeclared.pk}
    number = next((one for start, one in numbers.items() if route.startswith(start)), hidden.deployment.pk)
    leg = str(hidden.leg.public_id)
    parts = {"slug": hidden.target.service.slug, "environment": hidden.target.environment.slug, "ref": hidden.change.ref}
    parts |= {"number": str(number), "leg": leg, "leg_id": leg, "entry_id": str(hidden.note.public_id)}
    named = {
        "home:evidence_file": hidden.evidence,
        "home:given_sign_off": hidden.sign_off,
        "schedule:hold_lifting": hidden.hold,
        "approvals:proposal": hidden.proposal,
        "approvals:policy": hidden.policy,
    }
    about = next((one for start, one in named.items() if route.startswith(start)), hidden.policy if "policy" in route else None)
    if route == "home:gate_evaluation":
        return parts | {"public_id": hidden.evaluation}
    return parts | ({"public_id": str(about.public_id)} if about else {})


@pytest.mark.parametrize("route", [name for name in NAMED if not name.endswith(("freeze_lifting", "window_lifting"))])
@pytest.mark.parametrize("who", ["nobody", "outsider"])
def test_restricted_service_is_not_there_for_outsiders(desk: Desk, town: Town, route: str, who: str):
    for send in ("get", "post"):
        with undone():
            answer = getattr(desk.client(who), send)(address_of(route, **restricted_parts(town, route)))
            unchanged = not desk.changed()

        assert answer.status_code in {404, 405}, (send, answer.status_code)
        assert unchanged
    insider = desk.client("insider").get(address_of(route, **restricted_parts(town, route)))
    assert insider.status_code in ({200} if TABLE[route].reads and route != "home:edit_change" else {200, 403, 405})


@pytest.mark.parametrize("route", [name for name in ABOUT_CHANGES if name != "home:given_sign_off"])  # nobody signs a draft
def test_draft_of_somebody_else_is_not_there(desk: Desk, town: Town, route: str):
    draft = town.drafts["author"]
    address = address_of(route, ref=draft.ref, leg=str(draft.legs.get(is_current=True).public_id))
    for who in ("nobody", "chief", "owner"):
        for send, takes in (("get", TABLE[route].reads), ("post", TABLE[route].acts)):
            with undone():
                answer = getattr(desk.client(who), send)(address)

            assert answer.status_code == (404 if takes else 405), (who, send)
    assert desk.client("author").get(address).status_code in {200, 405}


def test_restricted_service_is_named_nowhere_to_outsiders(desk: Desk, town: Town):
    hidden = town.restricted
    names = (hidden.target.service.name, hidden.target.service.slug, hidden.change.ref, hidden.deployment.ref, hidden.incident.ref)
    for route, addresses in desk.pages.items():
        text = read(desk.client("nobody").get(addresses[0])).decode(errors="replace")
        for name in names:
            assert f">{name}<" not in text, route
            assert f"/{name}/" not in text, route
