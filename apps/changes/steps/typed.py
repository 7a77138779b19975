"""What people have typed and not saved: one row for each open form, theirs alone. Not part of the stream: nothing happened yet."""

from datetime import datetime
from uuid import UUID

from apps.accounts.models import Person
from apps.changes.models import Change, DraftInput

MOST_DRAFTS = 20  # the oldest go, so that forgotten tabs do not pile up
LONGEST_DRAFT = 1_000_000


def write_draft_input(public_id: UUID, *, person: Person, change: Change | None, body: str, at: datetime) -> DraftInput:
    """Keep the form as it stands now."""
    row, _ = DraftInput.objects.update_or_create(
        person=person, public_id=public_id, defaults={"change": change, "body": body, "saved_at": at}
    )
    kept = DraftInput.objects.filter(person=person).order_by("-saved_at", "-pk").values_list("pk", flat=True)[:MOST_DRAFTS]
    DraftInput.objects.filter(person=person).exclude(pk__in=[*kept]).delete()
    return row


def remove_draft_input(public_ids: list[UUID], *, person: Person) -> int:
    """Forget it: it was saved, or is not wanted."""
    return DraftInput.objects.filter(person=person, public_id__in=public_ids).delete()[0]
