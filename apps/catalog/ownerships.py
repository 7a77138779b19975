"""Which services persons own: said to the pages about people, which know no services themselves."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from django.db.models import F, Q, Window
from django.db.models.functions import Coalesce, DenseRank
from django.urls import reverse

from apps.accounts.models import Person
from apps.accounts.owning import Owned, Owning
from apps.catalog.access import services_hidden_from
from apps.catalog.models import Ownership


def owned_services(people: Collection[int], reader: Person, most: int) -> Mapping[int, Owning]:
    """The first services of each of these persons and how many more there are, in one statement; what the reader may not see is left out.

    What one of their accounts owns, the person owns. Who owns a service in both ways owns one service."""
    by_name = (F("service__name"), F("service_id"))
    first = Window(DenseRank(), partition_by=F("holder"), order_by=by_name)
    last = Window(DenseRank(), partition_by=F("holder"), order_by=[each.desc() for each in by_name])
    rows = (
        Ownership.objects.filter(Q(person__in=people) | Q(person__merged_into__in=people), ended_at__isnull=True)
        .filter(service__retired_at__isnull=True)
        .exclude(service__in=services_hidden_from(reader))
        .annotate(holder=Coalesce("person__merged_into", "person"), place=first, from_the_end=last)
        .filter(place__lte=most)
        .order_by("place")
        .values_list("holder", "service__name", "service__slug", F("place") + F("from_the_end") - 1)
        .distinct()
    )
    named: defaultdict[int, list[Owned]] = defaultdict(list)
    counts: dict[int, int] = {}
    for holder, name, slug, count in rows:
        named[holder].append(Owned(name, reverse("catalog:service", args=[slug])))
        counts[holder] = count
    return {holder: Owning(owned, counts[holder] - len(owned)) for holder, owned in named.items()}
