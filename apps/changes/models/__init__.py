"""The rows of changes: the change with its revisions and legs; evidence, what was read from repositories and what helps finding beside it."""

from apps.changes.models.change import Change, Comment, Item, Leg, LegIdentity, Move, Revision
from apps.changes.models.evidence import EvidenceChunk, EvidenceFile, EvidenceUpload
from apps.changes.models.finding import SavedSearch, Watch
from apps.changes.models.reading import VersionReading
from apps.changes.models.requesting import ChangeModel, ChangeModelVersion, Dependency, DraftInput, GivenAnswer

__all__ = [
    "Change",
    "ChangeModel",
    "ChangeModelVersion",
    "Comment",
    "Dependency",
    "DraftInput",
    "EvidenceChunk",
    "EvidenceFile",
    "EvidenceUpload",
    "GivenAnswer",
    "Item",
    "Leg",
    "LegIdentity",
    "Move",
    "Revision",
    "SavedSearch",
    "VersionReading",
    "Watch",
]
