"""The form of the first page: the set-up code and the administrator."""

from django import forms
from django.contrib.auth.password_validation import validate_password

from apps.core.zones import zone_names


class FirstRun(forms.Form):
    """Who sets the installation up."""

    code = forms.CharField(label="Set-up code", max_length=80, help_text="Printed by “make up”, and by “manage.py setup_code” on the host.")
    name = forms.CharField(label="Your name", max_length=120)
    email = forms.EmailField(label="E-mail", max_length=254)
    password = forms.CharField(
        label="Password",
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 12 characters.",
    )
    time_zone = forms.ChoiceField(label="Your time zone", initial="UTC")

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they are
        zone = self.fields["time_zone"]
        assert isinstance(zone, forms.ChoiceField)  # noqa: S101 - narrows the stub's Field
        zone.choices = [(name, name) for name in sorted(zone_names())]

    def clean_password(self) -> str:
        """Refuse passwords that are easily guessed."""
        validate_password(self.cleaned_data["password"])
        return str(self.cleaned_data["password"])

    def put_errors(self, errors: dict[str, list[str]]) -> None:
        """Show what the verb refuses on the fields it names."""
        for name, sentences in errors.items():
            self.add_error(name if name in self.fields else None, sentences)
