"""Running a verb for a form: what the verb does not accept is shown on the fields."""

from collections.abc import Callable, Mapping

from django import forms

from apps.core.refusals import BadContent


def carried_out(form: forms.Form, act: Callable[..., object], **given: object) -> bool:
    """Call `act` with the cleaned fields and `given`; False when the form holds errors now. A refusal goes on to the page."""
    if not form.is_valid():
        return False
    try:
        act(**form.cleaned_data, **given)
    except BadContent as error:
        show_errors(form, error.errors)
        return False
    return True


def show_errors(form: forms.Form, errors: Mapping[str, list[str]]) -> None:
    """Put sentences on their fields; those of fields the form does not have stand above it, named."""
    for field, said in errors.items():
        if field in form.fields:
            form.add_error(field, said)
            continue
        root = field.partition(".")[0]
        form.add_error(root if root in form.fields else None, [f"{field}: {sentence}" for sentence in said])
