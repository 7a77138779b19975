"""How one event is told: a line of words with its icon and tone."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """How an event is told: icon of the sprite, tone, sentence, and what stands small below it."""

    icon: str
    tone: str
    text: str
    sub: str = ""
