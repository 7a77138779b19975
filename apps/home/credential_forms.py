"""What administrators type about gate tokens, issuers and trusts. Bad input is told on its field; rules live elsewhere."""

from typing import Any

from django import forms
from django.conf import settings
from django.urls import reverse_lazy

from apps.accounts.models import Person
from apps.catalog.access import environments_in_order, services_for
from apps.catalog.models import Service
from apps.core.texts import why_not_line
from apps.gate.models import Issuer
from apps.gate.rules import Action, Detail
from apps.gate.rules.tokens import LONGEST_DAYS, LONGEST_OVERLAP
from apps.gate.rules.trusting import Pins, Scope
from apps.gate.rules.workloads import IssuerKind
from apps.gate.trying import LONGEST
from apps.home.deciding_forms import Said, Shown

ALL = "*"
LONGEST_NAMES = 4000
ACTIONS = [(Action.DEPLOY.value, "Deploy"), (Action.ROLLBACK.value, "Roll back")]
DETAILS = [
    (Detail.FULL.value, "Everything: sentences, names, cures"),
    (Detail.CODES.value, "Codes and a link: for logs that strangers read"),
]
KINDS = [
    (IssuerKind.GITHUB.value, "GitHub Actions"),
    (IssuerKind.GITLAB.value, "GitLab CI"),
    (IssuerKind.OTHER.value, "Another issuer"),
]
SOME = {"required": "Choose at least one."}
WHOLE = {"required": "Write a whole number.", "invalid": "Write a whole number."}
LIFE = {**WHOLE, "min_value": f"A token lives 1 to {LONGEST_DAYS} days.", "max_value": f"A token lives 1 to {LONGEST_DAYS} days."}
BOTH = {
    **WHOLE,
    "min_value": f"Both work for 1 to {LONGEST_OVERLAP} hours.",
    "max_value": f"Both work for 1 to {LONGEST_OVERLAP} hours.",
}


class Line(forms.CharField):
    """One line, refused with the sentence the action would use."""

    def __init__(self, *, longest: int, **kwargs: Any) -> None:  # noqa: ANN401 - the field's own options
        super().__init__(**kwargs)
        self.longest = longest
        self.widget.attrs["maxlength"] = longest

    def validate(self, value: str) -> None:
        """Line breaks, control characters and length."""
        if said := why_not_line(value, longest=self.longest, empty=not self.required):
            raise forms.ValidationError(said)

    def run_validators(self, value: Any) -> None:  # noqa: ANN401 - the field's own signature
        """Everything is said by `validate`: one sentence for one mistake."""


class Suggesting(forms.TextInput):
    """A field under which the server says how its last word could go on."""

    suggests = True

    def __init__(self, *, route: str) -> None:
        asked = {"hx-get": reverse_lazy(route), "hx-trigger": "focus, input changed delay:120ms", "hx-target": "#suggestions"}
        super().__init__(attrs={"data-suggest": True, **asked, "hx-sync": "this:replace", "autocomplete": "off", "spellcheck": "false"})


class Scoped(Shown):
    """What somebody may ask the gate for, and how long."""

    name = Line(label="Name", longest=120, help_text="By which people know it, such as the pipeline's name.")
    services = Line(
        label="Services",
        longest=LONGEST_NAMES,
        widget=Suggesting(route="home:gate_services"),
        help_text="Short names with commas between, or * for all, also those to come.",
    )
    environments = forms.MultipleChoiceField(label="Environments", widget=forms.CheckboxSelectMultiple, error_messages=SOME)
    actions = forms.MultipleChoiceField(
        label="Actions", choices=ACTIONS, widget=forms.CheckboxSelectMultiple, initial=[Action.DEPLOY.value], error_messages=SOME
    )
    detail = forms.ChoiceField(label="Is told", choices=DETAILS, initial=Detail.FULL.value)
    days = forms.IntegerField(
        label="Days",
        initial=90,
        min_value=1,
        max_value=LONGEST_DAYS,
        error_messages=LIFE,
        help_text=f"It ends by itself after so many, {LONGEST_DAYS} at most.",
    )

    def __init__(self, *args: Any, person: Person, **kwargs: Any) -> None:  # noqa: ANN401 - Django's own signature
        super().__init__(*args, **kwargs)
        self.person = person
        self.places = {str(one.pk): one for one in environments_in_order() if one.retired_at is None}
        choices = [(ALL, "All, also those to come"), *((pk, one.name) for pk, one in self.places.items())]
        self.fields["environments"].choices = choices  # type: ignore[attr-defined]

    def clean_services(self) -> list[Service] | None:
        """The services that were named; None for all."""
        words = {word.strip() for word in self.cleaned_data["services"].split(",") if word.strip()}
        if words == {ALL}:
            return None
        found = {one.slug: one for one in services_for(self.person).filter(slug__in=words, retired_at__isnull=True)}
        if missing := sorted(words - found.keys()):
            raise forms.ValidationError(f"There is no service {missing[0][:80]}.")
        return [found[word] for word in sorted(words)]

    @property
    def scope(self) -> Scope:
        """What was chosen."""
        given = self.cleaned_data
        services, places = given["services"], given["environments"]
        return Scope(
            name=given["name"],
            actions=[Action(action) for action in given["actions"]],
            days=given["days"],
            service_ids=None if services is None else [one.pk for one in services],
            environment_ids=None if ALL in places else [int(pk) for pk in places],
            detail=Detail(given["detail"]),
        )


class Rotation(Shown):
    """A new secret for a token, and how long the old one goes on."""

    days = forms.IntegerField(
        label="Days", initial=90, min_value=1, max_value=LONGEST_DAYS, error_messages=LIFE, help_text="How long the new one lives."
    )
    hours = forms.IntegerField(
        label="Hours", initial=24, min_value=1, max_value=LONGEST_OVERLAP, error_messages=BOTH, help_text="How long both work."
    )


class NewIssuer(Shown):
    """Who signs tokens of CI jobs."""

    kind = forms.ChoiceField(label="Kind", choices=KINDS)
    name = Line(label="Name", longest=120, help_text="Such as: GitHub, or GitLab of the house.")
    url = Line(
        label="Address",
        longest=300,
        help_text="Letter by letter what its tokens carry as iss. GitHub: https://token.actions.githubusercontent.com; GitLab: the address "
        "of the installation.",
    )
    project_claim = Line(
        label="Claim with the project's id", longest=80, required=False, help_text="For another issuer alone; sub where nothing else is."
    )


class NewTrust(Scoped):
    """Which jobs are taken for whom."""

    issuer = forms.ModelChoiceField(
        label="Issuer",
        queryset=Issuer.objects.none(),
        empty_label="Choose one",
        error_messages={"required": "Choose the issuer.", "invalid_choice": "Choose the issuer."},
    )
    audience = Line(label="Audience", longest=300, help_text="What the job asks its token for. Nobody else's.")
    project = Line(label="Project", longest=300, help_text="The id of the repository or project, not its name.")
    owner = Line(label="Owner", longest=100, required=False, help_text="The id of the owner or namespace: a project that moves is refused.")
    environment = Line(label="Environment in the CI", longest=200, required=False, help_text="As the job names it.")
    refs = Said(
        label="Refs",
        longest=6000,
        required=False,
        help_text="One on each line, in full: refs/heads/main. Empty where the environment decides.",
    )
    workflow = Line(
        label="Pipeline file",
        longest=400,
        required=False,
        help_text="Such as .github/workflows/deploy.yml, or a reusable workflow in full with @ref.",
    )
    takes_merge_requests = forms.BooleanField(label="Merge requests and forks may ask too", required=False)
    own_commit = forms.BooleanField(
        label="Only for the commit the job runs on",
        required=False,
        help_text="Leave it out where one pipeline deploys what others built. The way back is asked for all the same.",
    )
    field_order = (
        "name",
        "issuer",
        "audience",
        "project",
        "owner",
        "environment",
        "refs",
        "workflow",
        "takes_merge_requests",
        "own_commit",
    )

    def __init__(self, *args: Any, person: Person, **kwargs: Any) -> None:  # noqa: ANN401 - Django's own signature
        super().__init__(*args, person=person, **kwargs)
        self.fields["issuer"].queryset = Issuer.objects.filter(ended_at__isnull=True).order_by("name")  # type: ignore[attr-defined]
        self.fields["audience"].initial = settings.PUBLIC_URL

    @property
    def parts(self) -> list[tuple[str, list[forms.BoundField]]]:
        """The fields in two parts: which job it is, and what it may ask."""
        asked = ("services", "environments", "actions", "detail", "days")
        return [
            ("Which job it is", [field for field in self if field.name not in asked]),
            ("What it may ask", [self[name] for name in asked]),
        ]

    @property
    def pins(self) -> Pins:
        """What a job must be."""
        given = self.cleaned_data
        texts = {field: given[field].strip() for field in ("audience", "project", "owner", "environment", "workflow")}
        refs = tuple(line.strip() for line in given["refs"].splitlines() if line.strip())
        return Pins(**texts, refs=refs, takes_merge_requests=given["takes_merge_requests"], own_commit=given["own_commit"])


class Trying(Shown):
    """A token, or claims."""

    token = Said(
        label="Token, or claims as JSON",
        longest=LONGEST,
        widget=forms.Textarea(attrs={"rows": 6, "class": "mono", "spellcheck": "false", "autocomplete": "off"}),
        help_text="It is looked at and kept nowhere.",
    )
