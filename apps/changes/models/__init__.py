"""The rows of changes: the change with its revisions and legs; evidence, what was read from repositories and what helps finding beside it."""

from apps.changes.models.change import Change, Comment, Item, Leg, LegIdentity, Move, Revision
from apps.changes.models.evidence import EvidenceChunk, EvidenceFile, EvidenceUpload
from apps.changes.models.finding import SavedSearch, Watch
from apps.changes.models.modelling import ChangeModel, ChangeModelProposal, ChangeModelVersion, ModelOutcome
from apps.changes.models.reading import FailedReading, VersionReading
from apps.changes.models.requesting import Dependency, DraftInput, GivenAnswer

__all__ = [
    "Change",
    "ChangeModel",
    "ChangeModelProposal",
    "ChangeModelVersion",
    "Comment",
    "Dependency",
    "DraftInput",
    "EvidenceChunk",
    "EvidenceFile",
    "EvidenceUpload",
    "FailedReading",
    "GivenAnswer",
    "Item",
    "Leg",
    "LegIdentity",
    "ModelOutcome",
    "Move",
    "Revision",
    "SavedSearch",
    "VersionReading",
    "Watch",
]
