"""Whom a comment names with an @: an address, or the part of one before its @ where only one person has it."""

import re
from collections.abc import Iterable
from functools import reduce
from operator import or_

from django.db.models import Q

from apps.accounts.models import Person
from apps.changes.access import changes_for
from apps.changes.models import Change

MENTION = re.compile(r"(?<![\w@.+-])@([A-Za-z0-9_][A-Za-z0-9._+-]{0,63}(?:@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5})?)")
MOST = 20


def mentions_in(text: str) -> list[str]:
    """What stands behind each @, in small letters, once; a full stop at the end of a sentence is none of it."""
    return [*dict.fromkeys(found.rstrip(".-+").lower() for found in MENTION.findall(text))][:MOST]


def people_mentioned(text: str, *, change: Change) -> list[Person]:
    """Those whom a text about a change names and who may see the change. Who may not is told nothing, and nobody learns of it."""
    named = mentions_in(text)
    if not named:
        return []
    like = reduce(or_, (Q(email__iexact=one) if "@" in one else Q(email__istartswith=f"{one}@") for one in named))
    found = [*Person.objects.present().filter(like).order_by("pk")[: 2 * MOST]]
    meant = [person for name in named for person in _meant(name, found)]
    return [person for person in dict.fromkeys(meant) if changes_for(person).filter(pk=change.pk).exists()]


def _meant(name: str, found: Iterable[Person]) -> list[Person]:
    """The person of a name; none where several have it: nobody is told by guess."""
    hits = [one for one in found if one.email.lower() == name or ("@" not in name and one.email.lower().startswith(f"{name}@"))]
    return hits if len(hits) == 1 else []
