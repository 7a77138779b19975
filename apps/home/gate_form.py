"""What people fill in to ask the gate for themselves."""

from typing import Any

from django import forms

from apps.accounts.models import Person
from apps.catalog.access import environments_in_order, services_for
from apps.gate.inputs import MOST_IDENTITIES
from apps.gate.rules import Action
from apps.home.deciding_forms import Shown

LONGEST_VERSION = 90 * MOST_IDENTITIES


class GatePlace(Shown):
    """One service in one environment, of those that a person may see."""

    service = forms.ChoiceField(label="Service")
    environment = forms.ChoiceField(label="Environment")

    def __init__(self, *args: Any, person: Person, **kwargs: Any) -> None:  # noqa: ANN401 - a form takes what a form takes
        super().__init__(*args, **kwargs)
        living = services_for(person).filter(retired_at__isnull=True)
        services, environments = self.fields["service"], self.fields["environment"]
        assert isinstance(services, forms.ChoiceField)  # noqa: S101 - declared above
        assert isinstance(environments, forms.ChoiceField)  # noqa: S101 - declared above
        services.choices = [("", "Choose one"), *living.values_list("slug", "name")]
        environments.choices = [("", "Choose one"), *environments_in_order().values_list("slug", "name")]


class GateQuestion(GatePlace):
    """A place and a version; the version by its identities, or by the change that names it."""

    change = forms.CharField(
        label="Change", required=False, max_length=24, help_text="Such as CHG-7. It brings the version it names for this place."
    )
    version = forms.CharField(
        label="Or the version",
        required=False,
        max_length=LONGEST_VERSION,
        widget=forms.Textarea(attrs={"rows": 2, "class": "mono", "spellcheck": "false"}),
        help_text="One identity a line: a full commit id, sha256: and 64 digits, or config: and 64 digits.",
    )
    action = forms.ChoiceField(
        label="To", choices=[(Action.DEPLOY.value, "deploy it"), (Action.ROLLBACK.value, "go back to it")], initial="DEPLOY"
    )
