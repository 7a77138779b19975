"""An actor in one text column."""

import pytest

from apps.audit.names import actor_text, read_actor
from apps.core.actors import Actor, ActorKind, system


@pytest.mark.parametrize("kind", ActorKind)
def test_actor_is_read_back_without_its_credential(kind):
    assert read_actor(actor_text(Actor(kind, "a:b", "session"))) == Actor(kind, "a:b")


def test_machinery_is_named_by_its_part():
    assert actor_text(system("sealer")) == "SYSTEM:sealer"


@pytest.mark.parametrize("text", ["", "PERSON", "PERSON:", "ROBOT:1", ":1"])
def test_other_text_names_no_actor(text):
    with pytest.raises(ValueError, match=r"names no actor|valid ActorKind"):
        read_actor(text)
