"""The request form's fields. What they become is `home.sheet`'s, how they are drawn the templates'."""

from apps.home.forms.draft import ChangeDraft
from apps.home.forms.inputs import LOCAL
from apps.home.forms.model import ModelDraft, NewModelDraft
from apps.home.forms.rows import ItemRow, Items, StepRow, Steps

__all__ = ["LOCAL", "ChangeDraft", "ItemRow", "Items", "ModelDraft", "NewModelDraft", "StepRow", "Steps"]
