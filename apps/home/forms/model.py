"""What an administrator writes about a change model."""

from django import forms

from apps.changes.content import Plan, Scope, Step
from apps.changes.content.templates import EVIDENCE, LONGEST_USE, MOST_DAYS, Template
from apps.home.forms.draft import Defaults, PartsDraft
from apps.home.forms.inputs import area, line


class ModelDraft(PartsDraft):
    """The fields of a model: what it is called, what it asks for, and what it fills in."""

    name = line("Name", longest=120)
    use = area("When to begin from it", longest=LONGEST_USE, help_text="Shown where people choose a model.")
    evidence = forms.MultipleChoiceField(
        label="Evidence asked for",
        choices=[(kind, kind.upper() if len(kind) < 5 else kind) for kind in EVIDENCE],
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    days = forms.IntegerField(label="Days it is authorised", required=False, min_value=1, max_value=MOST_DAYS, help_text="Empty: fourteen.")

    def template(self, *, plan: tuple[Step, ...], rollback: tuple[Step, ...]) -> Template:
        """What the form says."""
        data = self.cleaned_data
        return Template(
            scope=Scope((), self.aspects_said, self.said("reason"), self.said("impact")),
            plan=Plan(plan),
            rollback=self.rollback(rollback, defaults=Defaults()),
            story=self.story(defaults=Defaults()),
            use=self.said("use"),
            evidence=frozenset(data.get("evidence") or ()),
            days=data.get("days"),
        )


class NewModelDraft(ModelDraft):
    """A first version also says how addresses and scripts call the model; that stays."""

    slug = line("Short name", longest=60, help_text="Small letters, digits and hyphens, for addresses. It stays as it is.")
