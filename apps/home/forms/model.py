"""What an administrator writes about a change model."""

from typing import Any
from uuid import UUID

from django import forms
from django.db.models import QuerySet

from apps.accounts.models import Person, Team
from apps.catalog.access import services_for
from apps.catalog.models import Environment, Service
from apps.changes.content import Plan, Scope, Step
from apps.changes.content.coverage import FIXABLE, MOST_COVERED, Coverage, Named
from apps.changes.content.templates import ANY, EVIDENCE, LONGEST_USE, MOST_DAYS, Template
from apps.changes.states import Kind
from apps.home.forms.draft import Defaults, PartsDraft
from apps.home.forms.inputs import area, line, words

KINDS = {
    Kind.NORMAL: "Normal: policies say who agrees",
    Kind.STANDARD: "Standard: done the same way every time",
    Kind.EMERGENCY: "Emergency: policies for emergencies say who agrees",
}
FIXED = {"aspects": "What is touched: no more than here", "reason": "Why now", "impact": "What users notice"}
EVIDENCE_WORDS = {ANY: "anything, a file or a link", "junit": "JUnit", "sarif": "SARIF"}
LONGEST_LIST = 61 * MOST_COVERED


def evidence_word(kind: str) -> str:
    """A kind of evidence as people call it."""
    return EVIDENCE_WORDS.get(kind, kind.upper() if len(kind) < 5 else kind)


class ModelDraft(PartsDraft):
    """The fields of a model: what it is called, what it asks for, what it fills in, and what it approves beforehand."""

    name = line("Name", longest=120)
    use = area("When to begin from it", longest=LONGEST_USE, help_text="Shown where people choose a model.")
    kind = forms.ChoiceField(label="Kind of change", required=False, choices=[(kind.value, text) for kind, text in KINDS.items()])
    evidence = forms.MultipleChoiceField(
        label="Evidence asked for",
        choices=[(kind, evidence_word(kind)) for kind in EVIDENCE],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="A change that does not show it is not submitted.",
    )
    days = forms.IntegerField(label="Days it is authorised", required=False, min_value=1, max_value=MOST_DAYS, help_text="Empty: fourteen.")
    pre_approved = forms.BooleanField(
        label="Approve such changes beforehand: nobody signs one that stays as it is written here",
        required=False,
        help_text="Plan and way back stay as they are here; any edit of them asks people again. "
        "Once two administrators are active, a second person agrees before it holds.",
    )
    covered_services = line("For these services", longest=LONGEST_LIST, help_text="Short names, separated by commas.")
    covered_teams = line("For every service of these teams", longest=LONGEST_LIST, help_text="Short names, separated by commas.")
    covered_environments = forms.MultipleChoiceField(
        label="In these environments", choices=[], widget=forms.CheckboxSelectMultiple, required=False
    )
    fixed = forms.MultipleChoiceField(
        label="What else stays as it is here",
        choices=[(name, FIXED[name]) for name in FIXABLE],
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )

    def __init__(self, *args: Any, person: Person, **kwargs: Any) -> None:  # noqa: ANN401 - Django's own signature
        super().__init__(*args, **kwargs)
        self.person = person
        self.ladder = {str(rung.public_id): rung.name for rung in Environment.objects.open_now().order_by("rank", "pk")}
        field = self.fields["covered_environments"]
        assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101 - narrows the stub's Field
        field.choices = [*self.ladder.items()]

    def clean_covered_services(self) -> tuple[Named, ...]:
        """The living services with these short names that the person may see."""
        return self._named(services_for(self.person).filter(retired_at__isnull=True), "covered_services", "service")

    def clean_covered_teams(self) -> tuple[Named, ...]:
        """The living teams with these short names."""
        return self._named(Team.objects.open_now(), "covered_teams", "team")

    def _named(self, rows: QuerySet[Service] | QuerySet[Team], field: str, word: str) -> tuple[Named, ...]:
        wanted = words(str(self.cleaned_data.get(field) or ""))
        found = {row.slug: Named(row.public_id, row.name) for row in rows.filter(slug__in=wanted)}
        if unknown := [slug for slug in wanted if slug not in found]:
            raise forms.ValidationError(f"No {word} is called {', '.join(unknown)}. Give short names, as in the catalogue.")
        return tuple(found[slug] for slug in wanted)

    @property
    def covers(self) -> bool:
        """Whether the fields of what is approved beforehand say something, so that they are shown open."""
        names = ("pre_approved", "covered_services", "covered_teams", "covered_environments")
        return any(self[name].value() or self[name].errors for name in names) or bool(self["fixed"].errors)

    @property
    def coverage(self) -> Coverage | None:
        """What would be approved beforehand; None: nothing."""
        data = self.cleaned_data
        if not data.get("pre_approved"):
            return None
        environments = tuple(
            Named(public_id, self.ladder[str(public_id)]) for public_id in map(UUID, data.get("covered_environments") or ())
        )
        return Coverage(data["covered_services"], data["covered_teams"], environments, frozenset(data.get("fixed") or ()))

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
            kind=Kind(self.said("kind") or Kind.NORMAL),
            coverage=self.coverage,
        )


class NewModelDraft(ModelDraft):
    """A first version also says how addresses and scripts call the model; that stays."""

    slug = line("Short name", longest=60, help_text="Small letters, digits and hyphens, for addresses. It stays as it is.")
