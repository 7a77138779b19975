"""What a change consists of: five parts, their canonical bytes, and which content is refused. Pure: no Django."""

from apps.changes.content.checks import default_period, warnings_about, why_not_complete, why_not_content
from apps.changes.content.parts import (
    AUTOMATIC,
    PARTS,
    Aspect,
    Content,
    EnvironmentRef,
    Evidence,
    ItemContent,
    Period,
    Plan,
    Rollback,
    Scope,
    Step,
    StepBy,
    Story,
    Strategy,
)
from apps.changes.content.reading import content_from_bytes, part_from_bytes
from apps.changes.content.writing import SCHEMAS, Bound, kept_bytes, normal, part_bytes, part_digests, revision_digest, whole_second

__all__ = [
    "AUTOMATIC",
    "PARTS",
    "SCHEMAS",
    "Aspect",
    "Bound",
    "Content",
    "EnvironmentRef",
    "Evidence",
    "ItemContent",
    "Period",
    "Plan",
    "Rollback",
    "Scope",
    "Step",
    "StepBy",
    "Story",
    "Strategy",
    "content_from_bytes",
    "default_period",
    "kept_bytes",
    "normal",
    "part_bytes",
    "part_digests",
    "part_from_bytes",
    "revision_digest",
    "warnings_about",
    "whole_second",
    "why_not_complete",
    "why_not_content",
]
