"""Everything a person writes about a change but its services and steps."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from apps.changes.content import Aspect, Period, Rollback, Step, Story, Strategy, default_period
from apps.core.references import parse_number
from apps.core.zones import zone_named, zone_names
from apps.home.forms.inputs import area, choices, line, lines, local_moment, moment, seconds, words

WAYS = {
    Strategy.PREVIOUS_RELEASE: "Previous release, by itself",
    Strategy.TRAFFIC_SWITCH: "Switch traffic back, by itself",
    Strategy.REVERT_COMMIT: "Revert the commit and deploy again, by people",
    Strategy.RESTORE_BACKUP: "Restore a backup, by people",
    Strategy.FIX_FORWARD: "Fix forward: there is no way back",
}
FIRST_YEAR, LAST_YEAR = 2000, 2199  # as for the moments of a period, which are checked with the content
MOMENTS = ("not_before", "not_after", "slot_start")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What stands where nothing is written."""

    title: str = ""
    seconds_to_restore: int | None = None
    days: int | None = None


class PartsDraft(forms.Form):
    """The fields of a change that a model may fill in."""

    title = line("Title", longest=200, help_text="Empty: the services and their versions.")
    reason = area("Why now", rows=2, help_text="One or two sentences a business owner understands. Approvers read this first.")
    impact = area("What users notice")
    aspects = forms.MultipleChoiceField(
        label="What is touched", choices=choices(Aspect), widget=forms.CheckboxSelectMultiple, required=False
    )
    description = area("More to read", help_text="Markdown.")
    strategy = forms.ChoiceField(
        label="Way back", required=False, choices=[("", "Choose how to get back"), *((key.value, text) for key, text in WAYS.items())]
    )
    seconds_to_restore = seconds("Seconds to restore")
    trigger = area("Go back when")
    irreversible = area("Cannot be undone", help_text="One to a line. Leave it empty when every step can be undone.")
    point_of_no_return = forms.IntegerField(
        label="Point of no return",
        required=False,
        min_value=1,
        help_text="The number of the step in the plan after which there is no way back.",
    )
    data_strategy = area("What happens to data", help_text="Asked for when data is touched.")
    rollback_reason = area("Why this way", help_text="Asked for when the way back needs people.")
    told = line(
        "Who is told",
        longest=2000,
        help_text="@names, addresses, names and teams, separated by commas; whom nobody here is called you tell by hand.",
    )
    labels = line("Labels", longest=1000, help_text="Separated by commas.")

    @property
    def holds_seldom(self) -> bool:
        """Whether the seldom fields of the way back say something, so that they are shown open."""
        names = ("irreversible", "point_of_no_return", "data_strategy", "rollback_reason")
        return any(self[name].value() or self[name].errors for name in names)

    def said(self, name: str) -> str:
        """A text as it was read; empty where it could not be."""
        return str(self.cleaned_data.get(name) or "")

    @property
    def aspects_said(self) -> frozenset[Aspect]:
        """The aspects that were ticked."""
        return frozenset(Aspect(text) for text in self.cleaned_data.get("aspects") or ())

    def rollback(self, steps: tuple[Step, ...], *, defaults: Defaults) -> Rollback:
        """The way back; where nobody said how long an automatic one takes, what the deployment settings let expect."""
        data = self.cleaned_data
        strategy = Strategy(self.said("strategy")) if self.said("strategy") else None
        told = data.get("seconds_to_restore")
        timed = any(step.expected_seconds for step in steps)
        return Rollback(
            strategy=strategy,
            steps=steps,
            trigger=self.said("trigger"),
            seconds_to_restore=defaults.seconds_to_restore if told is None and not timed else told,
            irreversible=lines(self.said("irreversible")),
            data_strategy=self.said("data_strategy"),
            reason=self.said("rollback_reason"),
            point_of_no_return=data.get("point_of_no_return"),
        )

    def story(self, *, defaults: Defaults) -> Story:
        """How it is told; without a title the services and versions are one."""
        return Story(
            self.said("title").strip() or defaults.title, words(self.said("labels")), words(self.said("told")), self.said("description")
        )


class ChangeDraft(PartsDraft):
    """The fields that a change has once."""

    not_before = moment("Not before")
    not_after = moment("Not after")
    slot_start = moment("Planned start")
    zone = forms.ChoiceField(label="Zone")
    needs = line("Comes after", longest=400, help_text="Changes that go first, such as CHG-1038, separated by commas.")
    emergency = forms.BooleanField(label="This is an emergency: the policies for emergencies say who agrees", required=False)
    model = forms.CharField(label="Change model", required=False, max_length=80, widget=forms.HiddenInput)
    draft = forms.UUIDField(label="Draft", required=False, widget=forms.HiddenInput)
    replaces = forms.UUIDField(label="Draft before", required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's own signature
        super().__init__(*args, **kwargs)
        zone = self.fields["zone"]
        assert isinstance(zone, forms.ChoiceField)  # noqa: S101 - narrows the stub's Field
        zone.choices = [(name, name) for name in sorted(zone_names())]

    def clean(self) -> dict[str, Any]:
        """Read the moments in the zone beside them, and the changes that go first; each mistake stands on its own field."""
        data = super().clean() or {}
        zone = zone_named(str(data.get("zone", ""))) or ZoneInfo("UTC")
        for name in MOMENTS:
            data[name] = self._moment(name, str(data.get(name) or ""), zone)
        data["needs"] = words(str(data.get("needs") or ""))
        if unread := [text for text in data["needs"] if parse_number(text, prefix="CHG") is None]:
            self.add_error("needs", f"No change is called {', '.join(unread)}. Write numbers such as CHG-1038.")
        return data

    def _moment(self, name: str, text: str, zone: ZoneInfo) -> datetime | None:
        try:
            found = local_moment(text, zone)
        except ValueError:
            self.add_error(name, "Write a date and a time, such as 2026-11-20T16:30.")
            return None
        if name == "slot_start" and found and not FIRST_YEAR <= found.year <= LAST_YEAR:
            self.add_error(name, f"Choose a moment between {FIRST_YEAR} and {LAST_YEAR}.")
            return None
        return found

    def period(self, *, now: datetime, defaults: Defaults) -> Period:
        """When it is authorised; an empty end becomes the default."""
        data = self.cleaned_data
        zone = self.said("zone") or "UTC"
        usual = default_period(now=now, zone=zone, days=defaults.days)
        return Period(data.get("not_before"), data.get("not_after") or usual.not_after, zone)
