"""Reading what an issuer publishes: over TLS, from the public internet or networks the settings name, short and without redirects.

The name is resolved once, every address of it is looked at, and the connection goes to the one that was."""

import ipaddress
import json
import logging
from collections.abc import Sequence
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx2
from django.conf import settings

from apps.core.deadlines import Bounded, Deadline, look_up

logging.getLogger("httpx2").setLevel(logging.WARNING)

TIMEOUT = httpx2.Timeout(3.0, connect=2.0)
WHOLE_SECONDS = 5.0  # for everything that one fetch asks for
LARGEST = 262_144
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# `is_global` takes these for public; what they carry inside, or who answers there, is not.
NOT_PUBLIC = [ipaddress.ip_network(one) for one in ("192.0.0.0/24", "192.88.99.0/24", "fec0::/10", "64:ff9b:1::/48", "2001::/23")]
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NotFetched(Exception):
    """The document could not be had; the text says why."""


def why_not_address(address: str) -> str | None:
    """The sentence for an address that issuers may not have, by its form alone."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return "This is no web address."
    if parts.scheme not in {"https", "http"} or not parts.hostname or port == 0:
        return "An issuer's address begins with https://."
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment or "\\" in address:
        return "An issuer's address has no user, no question mark and no #."
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        return "An issuer's address begins with https://."
    return None


def read_document(address: str, deadline: Deadline | None = None) -> dict[str, Any]:
    """Fetch one JSON object, all of it within the deadline. Raises NotFetched."""
    if said := why_not_address(address):
        raise NotFetched(said)
    parts, deadline = urlsplit(address), deadline or Deadline(WHOLE_SECONDS)
    assert parts.hostname is not None  # noqa: S101 - looked at above
    try:
        place = _resolved(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80), deadline)
        found = json.loads(_body(parts, place, deadline))
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        is_late = deadline.is_over or isinstance(error, (TimeoutError, httpx2.ReadTimeout))
        raise NotFetched(f"{parts.hostname} {'answers too slowly' if is_late else 'does not answer'}.") from error
    except (ValueError, RecursionError) as error:
        raise NotFetched(f"{parts.hostname} answers with something that is no JSON.") from error
    if not isinstance(found, dict):
        raise NotFetched(f"{parts.hostname} answers with something that is no object.")
    return found


def _body(parts: SplitResult, place: Address, deadline: Deadline) -> bytes:
    """The answer's bytes: the connection goes to the address that was looked at, the name is in header and certificate."""
    host = f"[{place}]" if place.version == 6 else str(place)
    address, body = parts._replace(netloc=host if parts.port is None else f"{host}:{parts.port}").geturl(), b""
    with (
        httpx2.Client(transport=Bounded(deadline), timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client,
        client.stream(
            "GET",
            address,
            headers={"Host": parts.netloc, "Accept": "application/json", "Accept-Encoding": "identity"},
            extensions={"sni_hostname": parts.hostname},
        ) as answer,
    ):
        if answer.status_code != httpx2.codes.OK:
            raise NotFetched(f"{parts.hostname} answers with {answer.status_code}.")
        for piece in answer.iter_raw():  # raw: a small answer could unpack to a large one
            body += piece
            if len(body) > LARGEST:
                raise NotFetched(f"{parts.hostname} answers with more than {LARGEST} bytes.")
    return body


def _resolved(host: str, port: int, deadline: Deadline) -> Address:
    """The address to connect to; a name with one address that is not allowed is not allowed."""
    try:
        found = [ipaddress.ip_address(one[4][0]) for one in look_up(host, port, deadline)]
    except TimeoutError:
        raise
    except (OSError, ValueError) as error:
        raise NotFetched(f"{host} has no address.") from error
    refused = next((one for one in found if not may_connect(one, settings.ISSUER_NETWORKS)), None)
    if refused is not None or not found:
        raise NotFetched(f"{host} lies in a network where issuers are not looked for. ISSUER_NETWORKS names those that are allowed.")
    return found[0]


def may_connect(address: Address, allowed: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    """Whether an issuer may be there: in a network the settings name, or on the public internet."""
    inner = _carried(address)
    if any(inner in network for network in allowed):
        return True
    return inner.is_global and not inner.is_multicast and not inner.is_reserved and not any(inner in network for network in NOT_PUBLIC)


def _carried(address: Address) -> Address:
    """The IPv4 address that an IPv6 one leads to, where it is one of those."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
