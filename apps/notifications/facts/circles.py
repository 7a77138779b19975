"""The people around a change or a service: who asked, who is named, who spoke, who answers for it and who operates it."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from apps.accounts.facts import standing_grants
from apps.accounts.identities import normal_email
from apps.accounts.models import Membership, Person
from apps.accounts.roles import Role
from apps.catalog.facts import owners_of
from apps.catalog.models import Service
from apps.changes.facts import content_of
from apps.changes.models import Change, Comment, Watch


def standing_ids(people: Iterable[Person]) -> set[UUID]:
    """The ids of people, each as the one they were merged into."""
    return {(person.merged_into or person).public_id for person in people}


def watchers_of(change: Change) -> set[UUID]:
    """Who watches it, and whom it names as told: by mail address, by a name that is one person's alone, or by their team."""
    watches = Watch.objects.filter(change=change).select_related("person__merged_into")
    told = {text.strip().casefold() for text in content_of(change.revision).story.told} if change.revision else set()
    return standing_ids(watch.person for watch in watches) | (people_called(told) if told else set())


def people_called(words: set[str]) -> set[UUID]:
    """The people that these words name."""
    present = Person.objects.present()
    found = set(present.filter(email__in={normal_email(word) for word in words}).values_list("public_id", flat=True))
    namesakes: dict[str, set[UUID]] = {}
    by_name = Q()
    for word in words:
        by_name |= Q(name__iexact=word)
    for name, public_id in present.filter(by_name).values_list("name", "public_id"):
        namesakes.setdefault(name.casefold(), set()).add(public_id)
    found |= {next(iter(ids)) for ids in namesakes.values() if len(ids) == 1}
    in_team = Q()
    for word in words:
        in_team |= Q(team__name__iexact=word) | Q(team__slug=word)
    members = Membership.objects.filter(in_team, ended_at__isnull=True, team__retired_at__isnull=True)
    return found | set(members.values_list("person__public_id", flat=True))


def speakers_of(change: Change, *, before: datetime) -> set[UUID]:
    """Who had commented on it by then."""
    comments = Comment.objects.filter(change=change, at__lt=before).select_related("author__merged_into")
    return standing_ids(comment.author for comment in comments)


def owners_ids(service: Service) -> set[UUID]:
    """Who answers for a service."""
    return {person.public_id for _, person in owners_of(service)}


def operators_ids(service: Service) -> set[UUID]:
    """Who operates a service: for everything, or for its team."""
    grants = standing_grants().filter(Q(team__isnull=True) | Q(team=service.team_id), role=Role.OPERATOR)
    return set(grants.values_list("person__public_id", flat=True))
