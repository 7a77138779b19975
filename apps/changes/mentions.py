"""Whom a text names: with an @ in a comment, and by @, address, name or team among those who are told of a change."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import reduce
from operator import or_

from django.db.models import Q, QuerySet

from apps.accounts.identities import normal_email
from apps.accounts.models import Person, Team
from apps.changes.access import changes_for
from apps.changes.models import Change

MENTION = re.compile(r"(?<![\w@.+-])@([A-Za-z0-9_][A-Za-z0-9._+-]{0,63}(?:@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5})?)")
MOST, MOST_NAMED = 20, 500


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


def mentions_of_nobody(text: str, *, change: Change) -> list[str]:
    """The names in a text that tell nobody: unknown, of several people, or of somebody who may not see the change. Which, nobody learns."""
    told = people_mentioned(text, change=change)
    return [name for name in mentions_in(text) if not _meant(name, told)]


def _meant(name: str, found: Iterable[Person]) -> list[Person]:
    """The person of a name; none where several have it: nobody is told by guess."""
    hits = [one for one in found if one.email.lower() == name or ("@" not in name and one.email.lower().startswith(f"{name}@"))]
    return hits if len(hits) == 1 else []


@dataclass(frozen=True, slots=True)
class Called:
    """The people and teams that some words may mean, as rows that a page reads together with others."""

    people: QuerySet[Person]
    teams: QuerySet[Team]

    def meant(self, word: str) -> tuple[list[Person], list[Team]]:
        """Whom one word names: a person where only one is called so, or a team; nobody is told by guess."""
        said = word.strip().casefold()
        if said.startswith("@"):
            return _meant(said.removeprefix("@"), self.people), []
        by_address = [one for one in self.people if one.email and normal_email(one.email) == normal_email(said)]
        by_name = [one for one in self.people if one.name.casefold() == said]
        teams = [one for one in self.teams if said in {one.name.casefold(), one.slug}]
        return by_address or (by_name if len(by_name) == 1 else []), teams

    def is_nobody(self, word: str) -> bool:
        """Whether the word names nobody here, so that a person has to tell them."""
        return self.meant(word) == ([], [])


def called_rows(words: Collection[str]) -> Called:
    """The rows that these words may mean; nothing is read yet."""
    people, teams = Q(pk__in=[]), Q(pk__in=[])
    for word in (one.strip() for one in words):
        local = word.removeprefix("@").lower()
        people |= Q(email__iexact=local) | Q(email=normal_email(local)) | Q(name__iexact=word)
        people |= Q(email__istartswith=f"{local}@") if word.startswith("@") and "@" not in local else Q()
        teams |= Q(name__iexact=word) | Q(slug=word.lower())
    return Called(
        Person.objects.present().filter(people).order_by("pk")[:MOST_NAMED],
        Team.objects.filter(teams, retired_at__isnull=True).order_by("pk")[:MOST_NAMED],
    )
