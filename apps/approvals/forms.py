"""What administrators write about policies, and what is asked of the simulator. Verbs check what may be kept."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.text import slugify

from apps.accounts.access import present_people, teams
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.approvals.policy_body import (
    IMPLEMENTER,
    LARGEST_RULES,
    LARGEST_STAGE,
    LONGEST_LABEL,
    LONGEST_WAIT,
    MAKERS,
    PARTS,
    WAITS,
    strength_of,
    switches_of,
)
from apps.approvals.rules import Strength
from apps.catalog.access import environments_in_order, services_for
from apps.catalog.models import Environment, Service
from apps.changes.states import Kind
from apps.core.texts import why_not_line
from apps.schedule.forms import LocalMoment

LONGEST_NAME, LONGEST_KEY, MOST_NEEDED = 120, 40, 5
KINDS = [("", "Every kind of change"), *((kind.value, kind.value.capitalize()) for kind in Kind)]
OWNERS = [("OWNER:ANY", "Business or technical owners"), ("OWNER:BUSINESS", "Business owners"), ("OWNER:TECHNICAL", "Technical owners")]
NEEDED = [(str(number), str(number)) for number in range(1, MOST_NEEDED + 1)] + [("0", "Every one of them")]
MEANINGS = [("APPROVAL", "Approval"), ("REVIEW", "Review"), ("AUTHORISATION", "Authorisation")]
PROMOTIONS = [("ONE", "From one environment of the rank below"), ("ALL", "From every environment of the rank below")]
KEPT_OUT = ("last_editor", *MAKERS, IMPLEMENTER)
SWITCHES = ("solo", "require_digest", "require_evidence", "forbid_approver_start")
PROOFS = [
    (Strength.TWO_FACTORS.value, "Two factors: a passkey, or password and code"),
    (Strength.PASSKEY.value, "A passkey"),
    (Strength.ANY.value, "Whatever somebody has, their password alone too"),
]
Errors = Mapping[str, list[str]]


def hours(label: str) -> forms.IntegerField:
    """Hours of waiting; empty where nothing shall happen."""
    return forms.IntegerField(label=label, required=False, min_value=1, max_value=LONGEST_WAIT)


class PolicySheet(forms.Form):
    """A policy but its rules."""

    name = forms.CharField(max_length=LONGEST_NAME)
    environment = forms.ModelChoiceField(queryset=Environment.objects.none(), to_field_name="slug", empty_label="Choose")
    service = forms.ModelChoiceField(
        queryset=Service.objects.none(),
        to_field_name="slug",
        required=False,
        empty_label="Every service",
        help_text="The narrower policy applies.",
    )
    kind = forms.ChoiceField(choices=KINDS, required=False)
    least_risk = forms.IntegerField(
        label="From this risk on", required=False, min_value=0, max_value=100, help_text="Points of risk. Empty: whatever the risk."
    )
    last_editor = forms.BooleanField(required=False, initial=True, label="Whoever edited the change last cannot sign it")
    author = forms.BooleanField(
        required=False, label="Whoever wrote a commit of it cannot sign it; where not all are known, one more person signs"
    )
    committer = forms.BooleanField(required=False, label="Whoever committed it cannot sign it")
    implementer = forms.BooleanField(required=False, label="Whoever has it deployed cannot sign it, and whoever signed does not start it")
    solo = forms.BooleanField(required=False, label="Somebody may sign their own change alone, with a reason; it is marked everywhere")
    proof = forms.ChoiceField(choices=PROOFS, label="A signature is proved by", help_text="Whatever is weaker does not count.")
    require_digest = forms.BooleanField(required=False, label="The version must name an artifact digest")
    require_evidence = forms.BooleanField(required=False, label="A test report without failures must be shown for the version")
    forbid_approver_start = forms.BooleanField(required=False, label="Whoever signed does not start the deployment")
    promotion = forms.ChoiceField(choices=PROMOTIONS, label="A version comes")
    remind_after_hours = hours("Remind after (hours)")
    escalate_after_hours = hours("Escalate after (hours)")
    expire_after_hours = hours("Expire after (hours)")

    def __init__(self, *given: Any, person: Person, is_new: bool = True, **more: Any) -> None:  # noqa: ANN401 - handed on to Django
        super().__init__(*given, **more)
        if not is_new:
            for name in ("environment", "service", "kind", "least_risk"):
                del self.fields[name]
            return
        offer(self, "environment", environments_in_order())
        offer(self, "service", services_for(person).filter(retired_at__isnull=True))


class RuleSheet(forms.Form):
    """One rule."""

    key = forms.CharField(required=False, max_length=LONGEST_KEY, widget=forms.HiddenInput)
    label = forms.CharField(label="Name", max_length=LONGEST_LABEL)
    group = forms.ChoiceField(label="Whose agreement")
    persons = forms.ModelMultipleChoiceField(
        queryset=Person.objects.none(),
        to_field_name="public_id",
        required=False,
        label="Named people",
        help_text="Where the rule names people.",
    )
    needed = forms.ChoiceField(label="How many", choices=NEEDED, initial="1")
    stage = forms.TypedChoiceField(label="Stage", choices=[(number, str(number)) for number in range(1, LARGEST_STAGE + 1)], coerce=int)
    meaning = forms.ChoiceField(label="The signature means", choices=MEANINGS)
    parts = forms.MultipleChoiceField(
        label="Covers", choices=[(part, part.capitalize()) for part in PARTS], initial=["scope", "plan", "rollback", "period"],
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    remove = forms.BooleanField(required=False, label="Remove this rule")

    def __init__(self, *given: Any, groups: list[Any], people: QuerySet[Person], **more: Any) -> None:  # noqa: ANN401 - handed on
        super().__init__(*given, **more)
        field = self.fields["group"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - narrows the stub's Field
        field.choices = groups
        offer(self, "persons", people)

    def has_changed(self) -> bool:
        """Whether it says something: a row beyond those that were shown is none while it has no name."""
        if not self.empty_permitted:
            return super().has_changed()
        return bool(str(self.data.get(self.add_prefix("label"), "")).strip())

    def clean_label(self) -> str:
        """Said on the field even where the rule is to be removed."""
        label: str = self.cleaned_data["label"]
        if said := why_not_line(label, longest=LONGEST_LABEL):
            raise forms.ValidationError(said)
        return label

    @property
    def said(self) -> dict[str, Any]:
        """The rule as a document has it."""
        given = self.cleaned_data
        key = given["key"] or slugify(given["label"])[:LONGEST_KEY].strip("-_") or "rule"
        group = self._group(given["group"], given["persons"])
        return {
            "key": key if key[0].isalpha() else f"rule-{key}"[:LONGEST_KEY],
            "label": given["label"],
            "group": group,
            "needed": int(given["needed"]),
            "stage": given["stage"],
            "meaning": given["meaning"],
            "parts": given["parts"],
        }

    def _group(self, chosen: str, persons: QuerySet[Person]) -> dict[str, Any]:
        kind, _, of = chosen.partition(":")
        if kind == "PERSONS":
            return {"kind": kind, "persons": [str(person.public_id) for person in persons]}
        return {"kind": kind, kind.lower(): of}


RuleSheets = forms.formset_factory(RuleSheet, extra=1, max_num=LARGEST_RULES, absolute_max=LARGEST_RULES + 1, validate_max=True)


class PolicyInput:
    """The whole page: the sheet and its rules, as a document and back."""

    def __init__(self, sent: Any, *, person: Person, is_new: bool, shown: Mapping[str, Any]) -> None:  # noqa: ANN401 - a QueryDict or None
        given = {"groups": group_choices(), "people": present_people()}
        self.sheet = PolicySheet(sent, person=person, is_new=is_new, initial=sheet_of(shown))
        self.rules = RuleSheets(sent, prefix="rules", initial=[row_of(rule) for rule in shown["rules"]], form_kwargs=given)

    def is_valid(self) -> bool:
        """Whether it can be read; what is wrong stands on the fields."""
        readable = self.rules.is_valid()
        return self.sheet.is_valid() and readable

    @property
    def _kept(self) -> list[RuleSheet]:
        return [row for row in self.rules.forms if row.has_changed() or row.initial] if self.rules.is_bound else []

    @property
    def _written(self) -> list[RuleSheet]:
        return [row for row in self._kept if row.cleaned_data and not row.cleaned_data["remove"]]

    @property
    def document(self) -> dict[str, Any]:
        """What is written, as the verbs take it."""
        given = self.sheet.cleaned_data
        exclude = ([] if given["solo"] else ["requester"]) + [hand for hand in KEPT_OUT if given[hand]]
        waits = {name: given[name] for name in WAITS if given[name] is not None}
        rules = [row.said for row in self._written]
        switches = {name: given[name] for name in SWITCHES} | switches_of(Strength(given["proof"]))
        return {"rules": rules, "exclude": exclude, "promotion": given["promotion"], **switches, **waits}

    def put_errors(self, errors: Errors) -> None:
        """Sentences on the fields they are about: `rules.0.group.persons` on the first rule's people."""
        for name, said in errors.items():
            root, _, rest = name.partition(".")
            number, _, field = rest.partition(".")
            if root == "rules" and number.isdecimal():
                row, field = self._written[int(number)], field.removeprefix("group.").replace("kind", "group").replace("team", "group")
                row.add_error(field if field in row.fields else None, said)
            else:
                self.sheet.add_error(root if root in self.sheet.fields else None, said)


class Question(forms.Form):
    """Whom the simulator asks about: a change that is there, or a service with a requester."""

    change = forms.CharField(required=False, max_length=20, help_text="Such as CHG-7. Leave it empty to think of one.")
    service = forms.ModelChoiceField(queryset=Service.objects.none(), to_field_name="slug", required=False, empty_label="Choose")
    risk = forms.IntegerField(required=False, min_value=0, max_value=1000, help_text="Points, where a policy asks for them.")
    requester = forms.ModelChoiceField(
        queryset=Person.objects.none(), to_field_name="public_id", required=False, empty_label="Nobody in particular"
    )

    def __init__(self, *given: Any, person: Person, **more: Any) -> None:  # noqa: ANN401 - handed on to Django
        super().__init__(*given, **more)
        offer(self, "service", services_for(person).filter(retired_at__isnull=True))
        offer(self, "requester", present_people())


class AwaySheet(forms.Form):
    """When somebody is away; an administrator may say it of others."""

    person = forms.ModelChoiceField(
        queryset=Person.objects.none(), to_field_name="public_id", required=False, empty_label="You", label="Who"
    )
    starts_at = LocalMoment(label="From")
    ends_at = LocalMoment(label="Until")

    def __init__(self, *given: Any, others: bool, **more: Any) -> None:  # noqa: ANN401 - handed on to Django
        super().__init__(*given, **more)
        if others:
            offer(self, "person", present_people())
        else:
            del self.fields["person"]


class StandInSheet(forms.Form):
    """Whom one asks to sign in one's place."""

    delegate = forms.ModelChoiceField(
        queryset=Person.objects.none(), to_field_name="public_id", empty_label="Choose", label="Who stands in"
    )
    starts_at = LocalMoment(label="From")
    ends_at = LocalMoment(label="Until")
    services = forms.ModelMultipleChoiceField(
        queryset=Service.objects.none(), to_field_name="slug", required=False, help_text="None chosen: every service."
    )
    kinds = forms.MultipleChoiceField(
        choices=KINDS[1:],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Kinds of change",
        help_text="None chosen: every kind.",
    )

    def __init__(self, *given: Any, person: Person, **more: Any) -> None:  # noqa: ANN401 - handed on to Django
        super().__init__(*given, **more)
        offer(self, "delegate", present_people().exclude(pk=person.pk))
        offer(self, "services", services_for(person).filter(retired_at__isnull=True))


def offer(form: forms.Form, name: str, rows: QuerySet[Any]) -> None:
    """Set what a choice chooses from."""
    form.fields[name].queryset = rows  # type: ignore[attr-defined]  # the stub's Field has no queryset


def group_choices() -> list[Any]:
    """Every group a rule can ask."""
    return [
        ("Owners of the service", OWNERS),
        ("Roles", [(f"ROLE:{role.value}", f"{role.label}s") for role in Role if role is not Role.ADMINISTRATOR]),
        ("Teams", [(f"TEAM:{team.public_id}", team.name) for team in teams()]),
        ("People", [("PERSONS:", "The people named below")]),
    ]


def sheet_of(shown: Mapping[str, Any]) -> dict[str, Any]:
    """A document's switches, as the sheet shows them; and what else is filled in."""
    return {
        **{hand: hand in shown.get("exclude", ()) for hand in KEPT_OUT},
        "proof": strength_of(shown).value,
        **{name: one for name, one in shown.items() if name != "rules"},
    }


def row_of(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A document's rule, as its row shows it."""
    group = rule["group"]
    return {
        **{name: rule[name] for name in ("key", "label", "stage", "meaning", "parts")},
        "needed": str(rule["needed"]),
        "group": f"{group['kind']}:{group.get(group['kind'].lower(), '') if group['kind'] != 'PERSONS' else ''}",
        "persons": group.get("persons", []),
    }
