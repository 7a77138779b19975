"""The form by which an environment is made stricter, or is to ask for less."""

from django import forms

from apps.catalog.rules import REQUIRED_ORDER
from apps.gate.rules import SWITCHABLE
from apps.gate.rules.relaxing import MODE_ORDER, REQUIRED
from apps.gate.strictness import TITLES, WHAT
from apps.home.deciding_forms import Said

REQUIRED_WORDS = {"APPROVED": "Approved: whoever must agree has signed", "RECORDED": "Recorded: it is submitted", "NO": "Nothing"}
MODE_WORDS = {"ENFORCED": "Enforced", "WARN_ONLY": "Warns only", "OFF": "Off"}


class Trial(forms.Form):
    """What is tried on the answers of the past, and how."""

    what = forms.ChoiceField(
        label="What", required=False, choices=[(REQUIRED, WHAT), *((name, TITLES[name]) for name in TITLES if name in SWITCHABLE)]
    )
    after = forms.ChoiceField(
        label="From now on",
        choices=[
            ("A change needs to be", [(value, REQUIRED_WORDS[value]) for value in reversed(REQUIRED_ORDER)]),
            ("A rule of the gate is", [(value, MODE_WORDS[value]) for value in reversed(MODE_ORDER)]),
        ],
    )


class Strictness(Trial):
    """What is set, how, and why."""

    reason = Said(label="Why", longest=300, required=False, widget=forms.TextInput)
