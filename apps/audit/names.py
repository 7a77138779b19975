"""An actor in one text column: `PERSON:<public id>`, `SYSTEM:<part>`. Credentials stay in the stream."""

from apps.core.actors import Actor, ActorKind


def actor_text(by: Actor) -> str:
    """The text that `x_by` columns hold."""
    return f"{by.kind.value}:{by.id}"


def read_actor(text: str) -> Actor:
    """The actor that an `x_by` column names; raises ValueError for any other text."""
    kind, colon, actor_id = text.partition(":")
    if not colon or not actor_id:
        raise ValueError(f"{text!r} names no actor.")
    return Actor(ActorKind(kind), actor_id)
