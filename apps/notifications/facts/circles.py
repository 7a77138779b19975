"""The people around a change or a service: who asked, who is named, who spoke, who answers for it and who operates it."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from apps.accounts.models import Membership, Person, Team
from apps.accounts.roles import Role
from apps.catalog.facts import owners_of
from apps.catalog.grants import people_with_role
from apps.catalog.models import Service
from apps.changes.facts import content_of
from apps.changes.mentions import called_rows
from apps.changes.models import Change, Comment, Watch


def standing_ids(people: Iterable[Person]) -> set[UUID]:
    """The ids of people, each as the one they were merged into."""
    return {(person.merged_into or person).public_id for person in people}


def watchers_of(change: Change) -> set[UUID]:
    """Who watches it, and whom it names as told: by @, mail address, a name that is one person's alone, or by their team."""
    watches = Watch.objects.filter(change=change).select_related("person__merged_into")
    told = {text.strip().casefold() for text in content_of(change.revision).story.told} if change.revision else set()
    return standing_ids(watch.person for watch in watches) | (people_called(told) if told else set())


def people_called(words: set[str]) -> set[UUID]:
    """The people that these words name."""
    rows = called_rows(words)
    meant = [rows.meant(word) for word in sorted(words)]
    teams = {team.pk for _, found in meant for team in found}
    members = Membership.objects.filter(team__in=teams, ended_at__isnull=True).values_list("person__public_id", flat=True)
    return {person.public_id for people, _ in meant for person in people} | set(members)


def speakers_of(change: Change, *, before: datetime) -> set[UUID]:
    """Who had commented on it by then."""
    comments = Comment.objects.filter(change=change, at__lt=before).select_related("author__merged_into")
    return standing_ids(comment.author for comment in comments)


def owners_ids(service: Service) -> set[UUID]:
    """Who answers for a service."""
    return {person.public_id for _, person in owners_of(service)}


def members_ids(team: Team) -> set[UUID]:
    """Who is in a team now."""
    return set(team.memberships.filter(ended_at__isnull=True).values_list("person__public_id", flat=True))


def operators_ids(service: Service) -> set[UUID]:
    """Who operates a service: for everything, for its team or for it alone."""
    return set(people_with_role(Role.OPERATOR, service).values_list("public_id", flat=True))
