"""Who did something. Every verb names one; it is the `by` of every entry."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class ActorKind(StrEnum):
    """What kind of actor; WORKLOAD is a CI identity proved by its issuer."""

    PERSON = "PERSON"
    TOKEN = "TOKEN"  # noqa: S105 - a kind, not a secret
    WORKLOAD = "WORKLOAD"
    SYSTEM = "SYSTEM"


@dataclass(frozen=True, slots=True)
class Actor:
    """An actor by kind and public id; `credential` says with what it proved itself, `on_behalf_of` for whom."""

    kind: ActorKind
    id: str
    credential: str = ""
    on_behalf_of: str = ""

    @property
    def person_id(self) -> UUID | None:
        """The public id of the person behind the act, if there is one."""
        if self.kind is ActorKind.PERSON:
            return UUID(self.id)
        return UUID(self.on_behalf_of) if self.on_behalf_of else None

    def as_data(self) -> dict[str, str]:
        """The form the stream stores; absent parts are left out."""
        parts = {
            "kind": self.kind.value,
            "id": self.id,
            "credential": self.credential,
            "on_behalf_of": self.on_behalf_of,
        }
        return {key: value for key, value in parts.items() if value}


def system(name: str) -> Actor:
    """Our own machinery, by the name of its part: `sweeper`, `runner`, `sealer`."""
    return Actor(ActorKind.SYSTEM, name)
