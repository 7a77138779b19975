"""By what somebody proves that they sign, and how much of it a policy asks for. Pure."""

from collections.abc import Collection
from enum import StrEnum

PASSKEY, PASSWORD_AND_CODE, PASSWORD, SESSION = "passkey", "password_and_code", "password", "session"


class Strength(StrEnum):
    """What an agreement is to be proved by, the weakest first."""

    ANY = "ANY"
    TWO_FACTORS = "TWO_FACTORS"
    PASSKEY = "PASSKEY"


# A passkey is two factors: the device, and whoever it verified. A session proves that somebody sits at a browser, and no more.
PROVES: dict[Strength, tuple[str, ...]] = {
    Strength.ANY: (PASSKEY, PASSWORD_AND_CODE, PASSWORD),
    Strength.TWO_FACTORS: (PASSKEY, PASSWORD_AND_CODE),
    Strength.PASSKEY: (PASSKEY,),
}
ASKS_FOR = {Strength.ANY: "a proof", Strength.TWO_FACTORS: "two factors", Strength.PASSKEY: "a passkey"}
TO_ADD = {
    Strength.ANY: "a passkey or a password",
    Strength.TWO_FACTORS: "a passkey or an authenticator app",
    Strength.PASSKEY: "a passkey",
}


def suffices(credential: str, *, asked: Strength) -> bool:
    """Whether what somebody proves themselves with is as much as is asked for."""
    return credential in PROVES[asked]


def strictest(asked: Collection[Strength]) -> Strength:
    """What meets all of them."""
    return max(asked, key=[*Strength].index, default=Strength.ANY)
