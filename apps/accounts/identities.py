"""How a person is known elsewhere, in one spelling per identity. Pure: no Django."""

import re
import unicodedata
from enum import StrEnum

from apps.core.references import Reference
from apps.core.refusals import BadContent
from apps.core.texts import why_not_line

MAILBOX = re.compile(r"[^@\s<>\"(),;:\\\[\]]+@[^@\s<>\"(),;:\\\[\]]+")
IN_BRACKETS = re.compile(r"[^<>]*<([^<>]*)>")
LONGEST = 254
LONGEST_ISSUER = 200
UNKNOWN = Reference("sign_in", "unknown")  # whom an attempt to sign in was meant for, where nobody is known by that name


class IdentityKind(StrEnum):
    """By what a person is known elsewhere."""

    EMAIL = "EMAIL"
    GIT_AUTHOR = "GIT_AUTHOR"
    OIDC = "OIDC"
    CI_ACTOR = "CI_ACTOR"


MAIL_KINDS = frozenset({IdentityKind.EMAIL, IdentityKind.GIT_AUTHOR})
ISSUED_KINDS = frozenset({IdentityKind.OIDC, IdentityKind.CI_ACTOR})


def normal_email(text: str) -> str:
    """One spelling per mailbox as far as we can know: compatible letters made plain, no blanks around, case folded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).strip().casefold())


def mail_of_author(text: str) -> str:
    """The mailbox of a git author line: `Ada L. <ada@example.org>` is `ada@example.org`."""
    match = IN_BRACKETS.fullmatch(text.strip())
    return normal_email(match[1] if match else text)


def read_email(text: str, *, field: str = "email") -> str:
    """A mailbox in its one spelling; raises BadContent naming `field`."""
    value = normal_email(text)
    if said := why_not_line(value, longest=LONGEST):
        raise BadContent({field: [said]})
    if not MAILBOX.fullmatch(value):
        raise BadContent({field: ["This is no e-mail address. Write one like ada@example.org."]})
    local = value.rpartition("@")[0]
    if not local.isascii():
        raise BadContent({field: ["The part before the @ holds letters that mail cannot carry everywhere. Use plain letters."]})
    return value


def read_identity(kind: IdentityKind, value: str, *, issuer: str = "") -> tuple[str, str]:
    """(issuer, value) in the one spelling they are compared by; raises BadContent naming the field.

    Mail kinds have no issuer; what an issuer says is compared letter by letter, because the issuer decides what differs."""
    if kind in MAIL_KINDS:
        if issuer.strip():
            raise BadContent({"issuer": [f"An identity of kind {kind} has no issuer. Leave it empty."]})
        return "", read_email(mail_of_author(value) if kind is IdentityKind.GIT_AUTHOR else value, field="value")
    issuer, value = issuer.strip(), value.strip()
    if said := why_not_line(issuer, longest=LONGEST_ISSUER):
        raise BadContent({"issuer": [said]})
    if said := why_not_line(value, longest=LONGEST):
        raise BadContent({"value": [said]})
    return issuer, value
