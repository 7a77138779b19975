"""What passkeys are bound to: the host of PUBLIC_URL. Nothing else decides it, least of all what a request says."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from apps.core.refusals import Refusal, not_now


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Who asks for a passkey: `id` is its domain, `origin` the one address pages are opened at; `refusal` where none can work."""

    id: str
    name: str
    origin: str
    refusal: Refusal | None = None


def relying_party() -> RelyingParty:
    """Read PUBLIC_URL."""
    parts = urlsplit(settings.PUBLIC_URL)
    host = (parts.hostname or "").lower()
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    port = "" if parts.port in {None, usual} else f":{parts.port}"
    shown = f"[{host}]" if ":" in host else host
    refusal = why_not_passkeys(parts.scheme, host, port=port)
    return RelyingParty(host, settings.ORGANISATION, f"{parts.scheme}://{shown}{port}", refusal)


def why_not_passkeys(scheme: str, host: str, *, port: str = "") -> Refusal | None:
    """Browsers know passkeys for names alone, and over TLS unless the name is this machine's."""
    if _is_number(host):
        name = f"{scheme}://localhost{port}" if _is_loopback(host) else "https://changes.example.org"
        cure = f"Set PUBLIC_URL to a name, such as {name}, and open that."
        return not_now("passkeys_need_a_name", f"PUBLIC_URL names the host by the number {host}. Passkeys are bound to a name.", cure)
    if scheme != "https" and host != "localhost" and not host.endswith(".localhost"):
        cure = "Put TLS in front and set PUBLIC_URL to the https:// address."
        return not_now("passkeys_need_tls", f"PUBLIC_URL is http://{host}. Browsers offer passkeys over https alone.", cure)
    return None


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host).is_loopback
