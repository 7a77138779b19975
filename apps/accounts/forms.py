"""What people write about people. The verbs check what may be kept; forms check that it can be read."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from apps.accounts.access import people, present_people, teams
from apps.accounts.hours import WEEKDAYS
from apps.accounts.identities import LONGEST, LONGEST_ISSUER, IdentityKind
from apps.accounts.models import Person, Team
from apps.accounts.roles import PURPOSE, WIDE_ONLY, Role
from apps.accounts.rules import LONGEST_TOKEN_DAYS
from apps.accounts.steps import LONGEST_NAME
from apps.core.texts import why_not_line
from apps.core.zones import zone_names

KINDS = {
    IdentityKind.EMAIL: "E-mail address",
    IdentityKind.GIT_AUTHOR: "Git author",
    IdentityKind.CI_ACTOR: "CI account",
    IdentityKind.OIDC: "Single sign-on subject",
}


class Select(forms.Select):
    """A choice among hundreds: Django's own renders a template per option, which took most of the page's time."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:  # noqa: ANN401 - Django's own signature
        """The same markup in one go."""
        del renderer
        chosen = "" if value is None else str(value)
        rows = ((key, mark_safe(" selected") if str(key) == chosen else "", word) for key, word in self.choices)
        options = format_html_join("", '<option value="{}"{}>{}</option>', rows)
        return format_html('<select name="{}"{}>{}</select>', name, flatatt(self.build_attrs(self.attrs, attrs)), options)


class ZoneChoice(forms.ChoiceField):
    """An IANA zone by name."""

    widget = Select

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - handed on to Django
        names = sorted(zone_names())
        super().__init__(choices=[(name, name.replace("_", " ")) for name in names], label="Time zone", **given)


class PersonChoice(forms.ModelChoiceField):  # type: ignore[type-arg]  # Django's class takes no type arguments
    """Somebody from a list, by public id; whatever else is sent is answered in our words, an id that is none too."""

    default_error_messages = {"required": "Choose somebody.", "invalid_choice": "Nobody in the list is meant by this. Choose somebody."}

    def __init__(self, *, empty_label: str = "Choose", **given: Any) -> None:  # noqa: ANN401 - the field's own options
        super().__init__(Person.objects.none(), to_field_name="public_id", empty_label=empty_label, **given)

    def to_python(self, value: Any) -> Any:  # noqa: ANN401 - Django's own signature
        """The person."""
        try:
            return super().to_python(value)
        except ValidationError as error:
            raise ValidationError(self.error_messages["invalid_choice"], code="invalid_choice") from error


class Answer(forms.JSONField):
    """What an authenticator answered, as a script wrote it into the form."""

    widget = forms.HiddenInput
    longest = 20_000

    def to_python(self, value: Any) -> Any:  # noqa: ANN401 - Django's own signature
        """Read the JSON; nothing that no browser sends is read at all."""
        if isinstance(value, str) and len(value) > self.longest:
            raise ValidationError("The answer is longer than any passkey’s. Try again.")
        try:
            return super().to_python(value)
        except RecursionError as error:
            raise ValidationError("The answer is no passkey’s. Try again.") from error

    def bound_data(self, data: Any, initial: Any) -> Any:  # noqa: ANN401 - Django's own signature
        """Each answer is good for one asking: none is shown again."""
        del data, initial

    def prepare_value(self, value: Any) -> str:  # noqa: ANN401 - Django's own signature
        """The field begins empty."""
        del value
        return ""


class NewPasskey(forms.Form):
    """A passkey to enrol."""

    name = forms.CharField(max_length=60, help_text="Where it lies, such as: work laptop, blue key.")
    credential = Answer()

    def clean_name(self) -> str:
        """Say it before the authenticator was asked in vain."""
        name: str = self.cleaned_data["name"]
        if said := why_not_line(name, longest=60):
            raise ValidationError(said)
        return name


class AppCode(forms.Form):
    """What the app shows after it was given the secret."""

    code = forms.CharField(
        max_length=20, label="Code the app shows", widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"})
    )


class PasskeyName(forms.Form):
    """What a passkey is called."""

    name = forms.CharField(max_length=60, label="Name")


class Hours(forms.Form):
    """Weekdays and hours, in the person's own zone."""

    days = forms.TypedMultipleChoiceField(
        choices=[(at, name) for at, name in enumerate(WEEKDAYS)], coerce=int, widget=forms.CheckboxSelectMultiple, label="Working days"
    )
    begins = forms.TimeField(label="From", widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    ends = forms.TimeField(
        label="To",
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text="Before they begin: on the next day. A working day is the one on which they begin.",
    )


class Join(forms.Form):
    """Somebody new."""

    name = forms.CharField(max_length=LONGEST_NAME, help_text="As it is printed beside their sign-offs.")
    email = forms.CharField(max_length=LONGEST, label="E-mail address", widget=forms.EmailInput, help_text="They sign in with it.")
    time_zone = ZoneChoice(initial="UTC")


class Profile(forms.Form):
    """How a person is shown, and in which zone they read times."""

    name = forms.CharField(max_length=LONGEST_NAME, help_text="What you signed before keeps the name of that day.")
    time_zone = ZoneChoice()


class Name(forms.Form):
    """A printed name alone."""

    name = forms.CharField(max_length=LONGEST_NAME)


class Reason(forms.Form):
    """Why, in a few words."""

    reason = forms.CharField(max_length=1000, required=False, help_text="It stands in the audit stream.")


class OwnEnd(Reason):
    """Deactivating oneself, which nobody asks again about."""

    understood = forms.BooleanField(label="I end my own account", error_messages={"required": "Tick it to end your own account."})

    def clean(self) -> dict[str, Any]:
        """What the verb takes: it is asked once, here."""
        data: dict[str, Any] = self.cleaned_data
        data.pop("understood", None)
        return data


class Merger(forms.Form):
    """Which other person is the same human being."""

    gone = forms.ModelChoiceField(queryset=Person.objects.none(), to_field_name="public_id", label="The other person", empty_label="Choose")

    def __init__(self, *given: Any, keep: Person, **more: Any) -> None:  # noqa: ANN401 - handed on to Django
        super().__init__(*given, **more)
        self.fields["gone"].queryset = people().exclude(pk=keep.pk)  # type: ignore[attr-defined]  # the stub's Field has no queryset


class NewIdentity(forms.Form):
    """What stands for a person elsewhere."""

    kind = forms.TypedChoiceField(choices=[(kind.value, word) for kind, word in KINDS.items()], coerce=IdentityKind)
    value = forms.CharField(max_length=1000, label="Value", help_text="ada@example.org, a git author line, or the account's own id.")
    issuer = forms.CharField(max_length=LONGEST_ISSUER, required=False, help_text="For CI accounts and subjects: who names them.")


class Grant(forms.Form):
    """A role, for everything or for one team's services."""

    role = forms.TypedChoiceField(choices=[(role.value, f"{role.label}: {PURPOSE[role]}") for role in Role], coerce=Role)
    team = forms.ModelChoiceField(
        queryset=Team.objects.none(),
        to_field_name="slug",
        required=False,
        empty_label="Everything",
        label="For",
        help_text="Or the services of one team.",
    )

    def __init__(self, *given: Any, **more: Any) -> None:  # noqa: ANN401 - handed on to Django
        super().__init__(*given, **more)
        self.fields["team"].queryset = teams()  # type: ignore[attr-defined]  # the stub's Field has no queryset

    def clean(self) -> dict[str, Any]:
        """Say it on the field before the verb refuses it."""
        if self.cleaned_data.get("team") and self.cleaned_data.get("role") in WIDE_ONLY:
            self.add_error("team", "This role is for the whole installation. Choose Everything.")
        return self.cleaned_data


class NewTeam(forms.Form):
    """A team."""

    name = forms.CharField(max_length=LONGEST_NAME)
    slug = forms.CharField(max_length=60, label="Short name", help_text="Small letters, digits and hyphens. It stays.")


class NewMember(forms.Form):
    """Who comes into the team."""

    person = forms.ModelChoiceField(queryset=Person.objects.none(), to_field_name="public_id", empty_label="Choose")

    def __init__(self, *given: Any, **more: Any) -> None:  # noqa: ANN401 - handed on to Django
        super().__init__(*given, **more)
        self.fields["person"].queryset = present_people()  # type: ignore[attr-defined]  # the stub's Field has no queryset


class NewToken(forms.Form):
    """A token for a person's own scripts."""

    name = forms.CharField(max_length=120, help_text="Where it will be used, such as: release script on build-3.")
    days = forms.IntegerField(min_value=1, max_value=LONGEST_TOKEN_DAYS, initial=90, label="Days", help_text="A year at most.")
