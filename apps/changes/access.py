"""The only way a view, an API or an app above gets a change: others' drafts and restricted services stay unseen."""

from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.lookups import IsNull
from django.http import Http404

from apps.accounts.facts import standing_grants
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.catalog.access import services_for, services_hidden_from
from apps.catalog.grants import standing_service_roles
from apps.catalog.models import Service
from apps.changes.models import Change, ChangeModel, ChangeModelProposal, ChangeModelVersion, DraftInput, Item, Leg, SavedSearch
from apps.changes.states import State
from apps.core.references import parse_number

LONGEST_NUMBER = 9


def changes_for(person: Person) -> QuerySet[Change]:
    """The changes a person may see. A draft that was sent back had been seen already; its older revisions show every item it ever had.

    Where nothing is hidden from them no item is looked at; else one by one, for each change that is about to be shown: an
    anti-join would be planned as a walk through all items there ever were."""
    hidden = services_hidden_from(person)
    held = Item.objects.filter(change=OuterRef("pk"), service__in=hidden).order_by().values("pk")[:1]
    mine = Q(requester=person.pk) | Q(requester__in=Person.objects.filter(merged_into=person.pk))
    seen = mine | ~Q(state=State.DRAFT) | Q(submitted_at__isnull=False)
    return Change.objects.filter(seen, ~Exists(hidden) | IsNull(Subquery(held), True))  # noqa: FBT003 - what Django's lookup takes


def sees_change(person: Person, column: str) -> IsNull:
    """Whether the person may see the change in this column: looked up for each row, where `in` would gather all changes there are."""
    return IsNull(Subquery(changes_for(person).filter(pk=OuterRef(column)).order_by().values("pk")[:1]), False)  # noqa: FBT003


def get_change(person: Person, ref: str) -> Change:
    """A change by what people call it, CHG-1042; 404 for one that is not there or not for this person to see."""
    number = parse_number(ref, prefix="CHG")
    found = (
        changes_for(person).select_related("requester__merged_into", "revision__author__merged_into").filter(pk=number).first()
        if number
        else None
    )
    if found is None:
        raise Http404
    return found


def services_to_ask_for(person: Person) -> QuerySet[Service]:
    """The living services that a person may request changes of: seen, and with the role for everything, for their team or for them alone."""
    grants = standing_grants().filter(person=person, role=Role.REQUESTER)
    own = standing_service_roles(person.pk).filter(role=Role.REQUESTER, service=OuterRef("pk"))
    where = Exists(grants.filter(team__isnull=True)) | Exists(grants.filter(team=OuterRef("team"))) | Exists(own)
    return services_for(person).filter(where, retired_at__isnull=True)


def get_leg(person: Person, public_id: UUID | str) -> Leg:
    """A current leg of a change that the person may see; 404 otherwise."""
    try:
        legs = Leg.objects.select_related("change", "service", "environment", "target")
        leg = legs.get(public_id=UUID(str(public_id)), is_current=True)
    except (Leg.DoesNotExist, ValueError) as error:
        raise Http404 from error
    if not changes_for(person).filter(pk=leg.change_id).exists():
        raise Http404
    return leg


def get_saved_search(person: Person, name: str) -> SavedSearch:
    """A search that the person keeps under this very name; 404 for one that is not there or somebody else's."""
    found = None if "\x00" in name else SavedSearch.objects.filter(person=person, name=name).first()
    if found is None:
        raise Http404
    return found


def draft_inputs_of(person: Person) -> QuerySet[DraftInput]:
    """What a person has typed and not saved, the newest first; theirs alone."""
    return DraftInput.objects.filter(person=person, finished_at__isnull=True).select_related("change").order_by("-saved_at", "-pk")


def finished_draft(person: Person, draft: str) -> DraftInput | None:
    """One of this person's forms that was sent or dropped, by its id: its address may be in the browser's history."""
    try:
        return DraftInput.objects.filter(person=person, public_id=UUID(draft), finished_at__isnull=False).select_related("became").first()
    except ValueError:
        return None


def change_models() -> QuerySet[ChangeModel]:
    """The models that are offered, by name, each with its version in force."""
    return (
        ChangeModel.objects.filter(retired_at__isnull=True, version__isnull=False)
        .select_related("version__author", "version__agreed_by")
        .order_by("name", "pk")
    )


def waiting_model_proposals() -> QuerySet[ChangeModelProposal]:
    """The wordings that wait for a second person, the oldest first."""
    return ChangeModelProposal.objects.filter(decided_at__isnull=True).select_related("proposed_by").order_by("proposed_at", "pk")


def get_model_proposal(public_id: UUID) -> ChangeModelProposal:
    """A proposed wording, decided or not; 404 for any other. Everybody may read what approves changes beforehand."""
    read_with = ("model__version", "replaces", "proposed_by__merged_into", "decided_by")
    found = ChangeModelProposal.objects.filter(public_id=public_id).select_related(*read_with).first()
    if found is None:
        raise Http404
    return found


def get_model(slug: str) -> ChangeModelVersion:
    """The version in force of an offered model; 404 for any other."""
    found = change_models().filter(slug=slug).first() if "\x00" not in slug else None
    if found is None or found.version is None:
        raise Http404
    found.version.model = found
    return found.version


def model_version(name: str) -> ChangeModelVersion | None:
    """A version by `slug:number`, in force or not; None for what is no such name."""
    slug, _, number = name.partition(":")
    if "\x00" in slug or not number.isdecimal() or not number.isascii() or len(number) > LONGEST_NUMBER:
        return None
    return ChangeModelVersion.objects.select_related("model").filter(model__slug=slug, number=int(number)).first()
