"""What the model of a STANDARD change says about its legs: derived from what is stored now, never written."""

from collections.abc import Iterable
from uuid import UUID

from apps.audit.keys import installation_id
from apps.catalog.models import Target
from apps.changes.content import PARTS, Content, part_digests, part_from_bytes, revision_digest
from apps.changes.models import Change, ChangeModelVersion, Leg, Revision
from apps.changes.pre_approval import Where, Written, pre_approval
from apps.changes.rules import PreApproval
from apps.changes.states import Kind
from apps.changes.steps.models import granted_by

READ_WITH = ("author", "agreed_by", "model__version")


def pre_approvals_of(change: Change, revision: Revision, legs: Iterable[Leg], *, installation: UUID) -> dict[int, PreApproval]:
    """By leg, what the change's model says about it; legs are read with their services' teams. One statement, for STANDARD alone."""
    if change.kind != Kind.STANDARD or change.made_from_id is None:
        return {}
    version = ChangeModelVersion.objects.select_related(*READ_WITH).get(pk=change.made_from_id)
    change.made_from = version
    granted = granted_by(version, version.model, installation=installation)
    bound = Revision(change=change, number=revision.number, author=revision.author).bound
    stored = {part: bytes(getattr(revision, part)) for part in PARTS}
    scope, plan, rollback = (part_from_bytes(part, stored[part]) for part in ("scope", "plan", "rollback"))
    written = Written(scope, plan, rollback, is_intact=revision_digest(bound, part_digests=part_digests(stored)) == revision.digest)
    found = {leg.pk: pre_approval(granted, written, where=place_of(leg)) for leg in legs}
    return {leg: one for leg, one in found.items() if one}


def pre_approvals_for(version: ChangeModelVersion, content: Content, targets: Iterable[Target]) -> dict[int, PreApproval]:
    """By target, what the model would say if this content were submitted; targets are read with their services' teams."""
    read = ChangeModelVersion.objects.select_related(*READ_WITH).get(pk=version.pk)
    granted = granted_by(read, read.model, installation=installation_id())
    written = Written(content.scope, content.plan, content.rollback)
    found = {target.pk: pre_approval(granted, written, where=place_of(target)) for target in targets}
    return {target: one for target, one in found.items() if one}


def place_of(row: Leg | Target) -> Where:
    """Where something goes, as a model's coverage asks."""
    service, environment = row.service, row.environment
    return Where(service.public_id, service.team.public_id, environment.public_id, f"{service.name} in {environment.name}")
