"""A CI job's token with anything in it changed is none; and one that its issuer signed is taken only for what its pins say."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator

import jwt
import pytest

from apps.gate.rules.workloads import IssuerKind, NotTaken
from apps.gate.trusts import take_job
from tests.accounts.provider import KEY
from tests.factories.approvals import make_place
from tests.gate.ci import GITLAB_PINS, PINS, github, gitlab, make_issuer, make_trust, signed

pytestmark = pytest.mark.django_db
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
VALUES = (None, "", "x", " ", 0, 1, -1, 1.5, True, False, [], {}, ["x"], {"x": 1}, "true", "false", "x" * 501, "a\x00b", "а")
SOURCES = {"hub": (IssuerKind.GITHUB, PINS, github), "lab": (IssuerKind.GITLAB, GITLAB_PINS, gitlab)}


@pytest.fixture(params=sorted(SOURCES))
def source(request, provider, chief, db):
    """The pins of a trust in force, and what writes the claims of its job."""
    kind, pins, claims = SOURCES[request.param]
    make_trust(make_issuer(provider.issuer, by=chief, kind=kind), make_place(), by=chief, pins=pins)
    return pins, lambda **more: claims(**{"iss": provider.issuer, **more})


def is_taken(token: str) -> bool:
    try:
        take_job(token)
    except NotTaken:
        return False
    return True


def signed_as_it_is(claims) -> str:
    """A token of the issuer, whatever its claims are: the usual way of making one refuses some."""
    return jwt.PyJWS().encode(json.dumps(claims).encode(), KEY, "RS256", headers={"kid": "one"})


def decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def flipped(token: str) -> Iterator[str]:
    """The token with each bit of each part turned over."""
    parts = token.split(".")
    for place, part in enumerate(parts):
        data = decoded(part)
        for bit in range(len(data) * 8):
            changed = bytearray(data)
            changed[bit // 8] ^= 1 << bit % 8
            yield ".".join([*parts[:place], encoded(bytes(changed)), *parts[place + 1 :]])


def test_every_bit_of_a_jobs_token_matters(source):
    token = signed(source[1]())

    taken = [changed for changed in flipped(token) if is_taken(changed)]

    assert is_taken(token)
    assert taken == []


def test_every_character_of_a_jobs_token_matters(source):
    """The unused bits of a part's last character too: one token is written in one way."""
    token = signed(source[1]())

    taken = []
    for place, character in enumerate(token):
        for step in (1, 2, 16) if character != "." else ():
            other = ALPHABET[(ALPHABET.index(character) + step) % len(ALPHABET)]
            taken += [place] if is_taken(token[:place] + other + token[place + 1 :]) else []
    assert taken == []
    assert not any(is_taken(changed) for changed in (token + "=", token + "A", token[:-1], token.replace(".", "=."), "." + token))


def test_every_claim_with_any_value_is_refused_or_the_very_job(source):
    pins, claims = source
    names = sorted(claims())

    for name in names:
        for value in VALUES:
            try:
                job, _ = take_job(signed_as_it_is(claims(**{name: value})))
            except NotTaken:
                continue
            said = (job.audience, job.project, job.owner, job.environment.lower(), job.ref, job.is_merge_request)
            assert said == (pins.audience, pins.project, pins.owner, pins.environment, pins.refs[0], False), (name, value)
            assert job.workflow == pins.workflow or not pins.workflow, (name, value)
