"""What people write about the catalogue. The verbs check what may be kept; forms check that it can be read."""

from typing import Any

from django import forms

from apps.accounts.access import present_people, teams
from apps.accounts.forms import PersonChoice, ZoneChoice
from apps.accounts.models import Team
from apps.accounts.roles import FOR_ONE_SERVICE, Role
from apps.catalog.access import environments_in_order
from apps.catalog.inputs import HIGHEST_RANK, LONGEST_DESCRIPTION, LONGEST_NAME, LONGEST_REASON, LONGEST_REPOSITORY
from apps.catalog.models import ChangeRequired, Environment, OwnerKind
from apps.catalog.settings_body import LONGEST

REQUIRED = {
    ChangeRequired.NO: "Nothing: deploy freely",
    ChangeRequired.RECORDED: "A submitted change",
    ChangeRequired.APPROVED: "An approved change",
}
TIERS = [(1, "1: the organisation stops without it"), (2, "2: important"), (3, "3: useful"), (4, "4: nobody would call at night")]
OWNERS = {OwnerKind.BUSINESS: "Business owner", OwnerKind.TECHNICAL: "Technical owner"}


class ServiceSheet(forms.Form):
    """A service."""

    name = forms.CharField(max_length=LONGEST_NAME)
    slug = forms.CharField(max_length=60, label="Short name", help_text="For addresses and CI. An old one keeps working.")
    team = forms.ModelChoiceField(queryset=Team.objects.none(), to_field_name="slug", empty_label="Choose", label="Owning team")
    tier = forms.TypedChoiceField(choices=TIERS, coerce=int, initial=2)
    time_zone = ZoneChoice(initial="UTC", help_text="Its business hours are read in this zone.")
    description = forms.CharField(max_length=LONGEST_DESCRIPTION, required=False, widget=forms.Textarea(attrs={"rows": 3}))
    repository = forms.CharField(max_length=LONGEST_REPOSITORY, required=False, help_text="A path or an address that git understands.")
    repository_id = forms.CharField(
        max_length=120,
        required=False,
        label="Repository’s own id",
        help_text="Never changes, even when the repository moves. Made up when empty.",
    )
    is_restricted = forms.BooleanField(required=False, label="Restricted: only its team, its owners and auditors see it")

    def __init__(self, *given: Any, **more: Any) -> None:  # noqa: ANN401 - handed on to Django
        super().__init__(*given, **more)
        self.fields["team"].queryset = teams()  # type: ignore[attr-defined]  # the stub's Field has no queryset


class EnvironmentSheet(forms.Form):
    """An environment."""

    name = forms.CharField(max_length=LONGEST_NAME)
    slug = forms.CharField(max_length=60, label="Short name", help_text="For addresses and CI. An old one keeps working.")
    rank = forms.IntegerField(min_value=0, max_value=HIGHEST_RANK, help_text="The lower one comes first on the way to production.")
    change_required = forms.ChoiceField(
        choices=[(required.value, word) for required, word in REQUIRED.items()], initial=ChangeRequired.APPROVED.value, label="It asks for"
    )
    time_zone = ZoneChoice(initial="UTC")


class NewOwner(forms.Form):
    """Who answers for a service."""

    person = PersonChoice()
    kind = forms.TypedChoiceField(choices=[(kind.value, word) for kind, word in OWNERS.items()], coerce=OwnerKind)

    def __init__(self, *given: Any, **more: Any) -> None:  # noqa: ANN401 - handed on to Django
        super().__init__(*given, **more)
        self.fields["person"].queryset = present_people()  # type: ignore[attr-defined]  # the stub's Field has no queryset


class NewRole(forms.Form):
    """Who works on a service alone, and as what."""

    person = PersonChoice()
    role = forms.TypedChoiceField(choices=[(role.value, role.label) for role in FOR_ONE_SERVICE], coerce=Role)

    def __init__(self, *given: Any, **more: Any) -> None:  # noqa: ANN401 - handed on to Django
        super().__init__(*given, **more)
        self.fields["person"].queryset = present_people()  # type: ignore[attr-defined]  # the stub's Field has no queryset


class NewTarget(forms.Form):
    """Where a service comes to live."""

    environment = forms.ModelChoiceField(queryset=Environment.objects.none(), to_field_name="slug", empty_label="Choose")

    def __init__(self, *given: Any, **more: Any) -> None:  # noqa: ANN401 - handed on to Django
        super().__init__(*given, **more)
        self.fields["environment"].queryset = environments_in_order()  # type: ignore[attr-defined]  # the stub's Field has no queryset


class SettingsText(forms.Form):
    """A target's settings as JSON."""

    settings = forms.CharField(
        max_length=LONGEST,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 22, "spellcheck": "false", "class": "mono"}),
        label="Settings (JSON)",
    )


class LockReason(forms.Form):
    """Why nothing may begin."""

    reason = forms.CharField(max_length=LONGEST_REASON, help_text="Everybody who is stopped by it reads this.")


class Adoption(forms.Form):
    """What runs already."""

    label = forms.CharField(max_length=120, help_text="As people call it, such as 3.18.0.")
    identities = forms.CharField(
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "mono"}),
        help_text="One per line: git: and the full commit, sha256: and an artifact’s digest, or config: and a document’s digest.",
    )
    reason = forms.CharField(max_length=LONGEST_REASON, help_text="How you know that this runs.")
