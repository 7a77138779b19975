"""What people have typed and not saved: one row for each open form, theirs alone. Not part of the stream: nothing happened yet."""

from datetime import datetime
from uuid import UUID

from apps.accounts.models import Person
from apps.changes.models import Change, DraftInput

MOST_DRAFTS = 20  # the oldest go, so that forgotten tabs do not pile up
LONGEST_DRAFT = 1_000_000


def write_draft_input(public_id: UUID, *, person: Person, change: Change | None, body: str, at: datetime) -> DraftInput:
    """Keep the form as it stands now; a form that is finished keeps nothing more."""
    row, is_new = DraftInput.objects.select_for_update().get_or_create(
        person=person, public_id=public_id, defaults={"change": change, "body": body, "saved_at": at}
    )
    if not is_new and row.finished_at is None:
        row.change, row.body, row.saved_at = change, body, at
        row.save(update_fields=["change", "body", "saved_at"])
    _keep_newest(person, is_finished=False)
    return row


def finish_draft_input(public_id: UUID, *, person: Person, at: datetime, became: int | None = None) -> None:
    """Forget what the form held. Its id stays, so that a request which was on its way does not bring the words back."""
    DraftInput.objects.update_or_create(
        person=person, public_id=public_id, defaults={"change": None, "body": "", "saved_at": at, "finished_at": at, "became_id": became}
    )
    _keep_newest(person, is_finished=True)


def remove_draft_input(public_id: UUID, *, person: Person) -> None:
    """Forget a form that another one took over."""
    DraftInput.objects.filter(person=person, public_id=public_id).delete()


def _keep_newest(person: Person, *, is_finished: bool) -> None:
    rows = DraftInput.objects.filter(person=person, finished_at__isnull=not is_finished)
    rows.exclude(pk__in=[*rows.order_by("-saved_at", "-pk").values_list("pk", flat=True)[:MOST_DRAFTS]]).delete()
