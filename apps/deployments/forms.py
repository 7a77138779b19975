"""What people type on a deployment's page. The verbs check what may be kept; forms check that it can be read."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db.models import Q

from apps.accounts.models import Person
from apps.catalog.access import environments_in_order, services_for
from apps.deployments.models import Settled
from apps.deployments.rules.orders import Truth

LONGEST_REASON = 300
LONGEST_EXPLANATION = 400
TRUTHS = [
    (Truth.NEW_RUNS, "The new version runs there"),
    (Truth.OLD_RUNS, "It does not: what ran before still runs"),
    (Truth.ASK_AGAIN, "I cannot tell: ask the target again"),
]


class Shown(forms.Form):
    """A form that shows what an action did not accept."""

    def put_errors(self, errors: dict[str, list[str]]) -> None:
        """Put each sentence on its field, or above the form."""
        for field, sentences in errors.items():
            self.add_error(field if field in self.fields else None, sentences)


class StopReason(Shown):
    """Why a deployment is stopped."""

    reason = forms.CharField(label="Reason, for the record", max_length=LONGEST_REASON, required=False)


class WayBackReason(Shown):
    """Why a deployment is undone."""

    reason = forms.CharField(
        label="Reason, one line for the record",
        max_length=LONGEST_REASON,
        error_messages={"required": "Write why: it becomes the hold's reason."},
    )


class Settlement(Shown):
    """What a person found to be true."""

    truth = forms.ChoiceField(
        label="What is true there",
        choices=TRUTHS,
        widget=forms.RadioSelect,
        error_messages={"required": "Say what is true, or that you cannot tell."},
    )
    reason = forms.CharField(
        label="How you know", max_length=LONGEST_REASON, error_messages={"required": "Write how you know: nobody else saw it."}
    )


class OutsideSettlement(Settlement):
    """The same of a deployment that CI carried out: nobody here can ask its target."""

    truth = forms.ChoiceField(
        label="What is true there",
        choices=TRUTHS[:2],
        widget=forms.RadioSelect,
        error_messages={"required": "Say what is true. Until then nothing else begins there."},
    )


class UndeclaredSettlement(Shown):
    """What becomes of a version that nobody declared."""

    outcome = forms.ChoiceField(
        label="What is it",
        choices=[
            (Settled.ADOPTED, "It shall run there: adopt it"),
            (Settled.EXPLAINED, "It is no deployment: explain what was seen"),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": "Adopt it, or explain it."},
    )
    reason = forms.CharField(
        label="Reason, one line for the record",
        max_length=LONGEST_EXPLANATION,
        error_messages={"required": "Write how it came there, or what was seen instead."},
    )


def settlement_of(*, is_external: bool) -> type[Settlement]:
    """The form for a deployment."""
    return OutsideSettlement if is_external else Settlement


class Narrowing(Shown):
    """Which services and environments a list is about; empty is all of them."""

    service = forms.ChoiceField(label="Service", required=False, error_messages={"invalid_choice": "There is no such service."})
    environment = forms.ChoiceField(label="Environment", required=False, error_messages={"invalid_choice": "There is no such environment."})

    def __init__(self, *args: Any, person: Person, **kwargs: Any) -> None:  # noqa: ANN401 - a form takes what a form takes
        super().__init__(*args, **kwargs)
        services, environments = self.fields["service"], self.fields["environment"]
        assert isinstance(services, forms.ChoiceField)  # noqa: S101 - declared above
        assert isinstance(environments, forms.ChoiceField)  # noqa: S101 - declared above
        services.choices = [("", "Every service"), *services_for(person).order_by("name").values_list("slug", "name")]
        environments.choices = [("", "Every environment"), *environments_in_order().values_list("slug", "name")]

    @property
    def places(self) -> Q:
        """The condition on what has a target."""
        given, found = self.cleaned_data, Q()
        if service := given.get("service"):
            found &= Q(target__service__slug=service)
        if environment := given.get("environment"):
            found &= Q(target__environment__slug=environment)
        return found

    def address(self, **more: str) -> str:
        """The same list with MORE said of it; what is empty is left out."""
        return f"?{urlencode({name: text for name, text in {**self.cleaned_data, **more}.items() if text})}"


def place_before(text: str) -> int | None:
    """The number that a page of a list ends before; None for whatever is no number of a row."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
