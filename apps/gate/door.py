"""The one door for credentials: gate tokens, personal tokens and tokens of CI jobs come in here, each as often as it may.

Whether one of ours is live is read with the question it asks; `let_in_by` is called when that said yes."""

import secrets
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, JsonResponse

from apps.accounts.presence import address_of
from apps.core.problems import problem_json
from apps.gate.ci_tokens import looks_like_one
from apps.gate.counting import unknown_tokens
from apps.gate.inputs import Credential, read_bearer
from apps.gate.issuer_keys import KeysUnavailable
from apps.gate.rates import addresses, askers, place_of, whole_seconds
from apps.gate.rules.workloads import NotTaken
from apps.gate.trusts import take_job

JITTER = 3  # seconds: those that were turned away together do not come back together


@dataclass(frozen=True, slots=True)
class Told:
    """What is answered to whoever is not let in."""

    status: int
    code: str
    said: str
    cure: str = ""
    retry_after: int = 0


class TurnedAway(Exception):
    """Nobody was let in; `response` tells it as problem JSON."""

    def __init__(self, told: Told) -> None:
        super().__init__(told.said)
        self.told = told

    @property
    def response(self) -> JsonResponse:
        """The problem, with the headers its status asks for."""
        told = self.told
        response = problem_json(told.status, told.code, told.said, cure=told.cure)
        if told.status == 401:
            response["WWW-Authenticate"] = 'Bearer realm="change control"'
        if told.retry_after:
            response["Retry-After"] = str(told.retry_after)
        return response


NO_TOKEN = Told(
    401,
    "no_token",
    "The request carries no token of this installation.",
    "Send Authorization: Bearer with a gate token or a CI job's OpenID token; an administrator issues or trusts one.",
)


def authenticate(request: HttpRequest) -> Credential:
    """The credential of a request, within its rate. Raises TurnedAway; no statement is spent on whom that happens to."""
    # From META: `request.headers` makes a mapping of every header, which costs as much as judging.
    header = request.META.get("HTTP_AUTHORIZATION", "")
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "bearer" and looks_like_one(token.strip()):
        return _job(request, token.strip())
    credential = read_bearer(header)
    if credential is None:
        raise TurnedAway(NO_TOKEN)
    if credential.hash in askers:
        _take_own(credential)
    else:
        _take_from_address(request)
    return credential


def let_in_by(credential: Credential) -> None:
    """Somebody was let in: from now on they have a rate of their own, whatever else comes from their address."""
    askers.admit(credential.hash, per_second=settings.GATE_RATE)


def _job(request: HttpRequest, token: str) -> Credential:
    """A CI job, proved before it is counted: a signature costs less than letting one job take another's turn."""
    try:
        workload, trust = take_job(token)
    except NotTaken as error:
        _take_from_address(request)
        unknown_tokens.add()
        raise TurnedAway(Told(401, f"ci_{error.code}", str(error), error.cure)) from error
    except KeysUnavailable as error:
        _take_from_address(request)  # whoever makes up ids of keys comes as seldom as whoever makes up tokens
        said = f"The keys of the token's issuer cannot be read, so nobody can tell whether it is good. {error}"
        seconds = whole_seconds(error.again)
        told = Told(503, "keys_unavailable", said, f"Ask again in {seconds} seconds.", seconds + secrets.randbelow(JITTER))
        raise TurnedAway(told) from error
    credential = Credential(trust.hash, is_personal=False, workload=workload)
    _take_own(credential)
    return credential


def _take_own(credential: Credential) -> None:
    if wait := askers.take(credential.hash, per_second=settings.GATE_RATE):
        _turn_away(wait, "This asker asks more often than it may.")


def _take_from_address(request: HttpRequest) -> None:
    place = place_of(address_of(request) or "")
    if wait := addresses.take(place, per_second=settings.GATE_UNKNOWN_RATE):
        _turn_away(wait, "Too many tokens that are not known come from this address.")


def _turn_away(wait: float, said: str) -> None:
    seconds = whole_seconds(wait) + secrets.randbelow(JITTER)
    raise TurnedAway(Told(429, "too_many_requests", said, f"Ask again after {seconds} seconds.", seconds))
