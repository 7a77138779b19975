"""The request form: one page in five sections, read into a change's content and filled from it."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import MaxLengthValidator

from apps.catalog.models import Environment, Service
from apps.catalog.versions import read_identities
from apps.changes.content import (
    Aspect,
    Content,
    EnvironmentRef,
    Evidence,
    ItemContent,
    Period,
    Plan,
    Rollback,
    Scope,
    Step,
    StepBy,
    Story,
    Strategy,
    default_period,
)
from apps.core.refusals import BadContent
from apps.core.zones import zone_named, zone_names

LOCAL = "%Y-%m-%dT%H:%M"
WORDS = {
    Strategy.PREVIOUS_RELEASE: "Previous release, by itself",
    Strategy.TRAFFIC_SWITCH: "Switch traffic back, by itself",
    Strategy.REVERT_COMMIT: "Revert the commit and deploy again, by people",
    Strategy.RESTORE_BACKUP: "Restore a backup, by people",
    Strategy.FIX_FORWARD: "Fix forward: there is no way back",
}


def choices(kinds: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - any StrEnum class
    """The choices of an enum in words."""
    return [(kind.value, kind.value.replace("_", " ").capitalize()) for kind in kinds]


def area(rows: int) -> forms.Textarea:
    """A text area that grows with what is written."""
    return forms.Textarea(attrs={"rows": rows, "class": "grows"})


def moment() -> forms.CharField:
    """A local date and time; read by us, because it belongs to the zone beside it."""
    return forms.CharField(required=False, max_length=16, widget=forms.DateTimeInput(attrs={"type": "datetime-local"}))


class ChangeDraft(forms.Form):
    """Everything a person writes about a change but its steps."""

    service = forms.ChoiceField(label="Service")
    label = forms.CharField(label="Version", max_length=120, help_text="What people call it, such as 2.4.1.")
    commit = forms.CharField(
        label="Commit", max_length=64, required=False, help_text="The full commit id. A branch, a tag or a short id may move."
    )
    digests = forms.CharField(label="Artifact digests", required=False, max_length=2000, widget=area(1), help_text="sha256, one to a line.")
    config_digest = forms.CharField(
        label="Config digest",
        max_length=71,
        required=False,
        help_text="For a change without a commit: the SHA-256 of the document that says it.",
    )
    environments = forms.MultipleChoiceField(label="Environments", widget=forms.CheckboxSelectMultiple)
    aspects = forms.MultipleChoiceField(
        label="What is touched", choices=choices(Aspect), widget=forms.CheckboxSelectMultiple, required=False
    )
    reason = forms.CharField(
        label="Why now",
        required=False,
        widget=area(2),
        help_text="One or two sentences a business owner understands. Approvers read this first.",
    )
    impact = forms.CharField(label="What users notice", required=False, widget=area(1))
    strategy = forms.ChoiceField(
        label="Way back", required=False, choices=[("", "Choose how to get back"), *((key.value, text) for key, text in WORDS.items())]
    )
    trigger = forms.CharField(label="Go back when", required=False, widget=area(1))
    seconds_to_restore = forms.IntegerField(label="Seconds to restore", required=False, min_value=0)
    irreversible = forms.CharField(
        label="Cannot be undone", required=False, widget=area(1), help_text="One to a line. Leave it empty when every step can be undone."
    )
    data_strategy = forms.CharField(
        label="What happens to data", required=False, widget=area(1), help_text="Asked for when data is touched."
    )
    rollback_reason = forms.CharField(
        label="Why this way", required=False, widget=area(1), help_text="Asked for when the way back needs people."
    )
    not_before = moment()
    not_after = moment()
    zone = forms.ChoiceField(label="Zone")
    title = forms.CharField(label="Title", max_length=200)
    told = forms.CharField(label="Who is told", required=False, max_length=2000, help_text="Separated by commas.")
    labels = forms.CharField(label="Labels", required=False, max_length=1000, help_text="Separated by commas.")
    description = forms.CharField(label="More to read", required=False, widget=area(2), help_text="Markdown.")

    def __init__(self, *args: Any, services: list[Service], ladder: list[Environment], **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self.services = {service.slug: service for service in services}
        self.ladder = {environment.slug: environment for environment in ladder}
        self.fields["not_before"].label, self.fields["not_after"].label = "Not before", "Not after"
        self.pick("service", [("", "Choose a service"), *((slug, service.name) for slug, service in self.services.items())])
        self.pick("environments", [(slug, environment.name) for slug, environment in self.ladder.items()])
        self.pick("zone", [(name, name) for name in sorted(zone_names())])
        for field in self.fields.values():
            if isinstance(field.widget, forms.Textarea):
                field.validators.append(MaxLengthValidator(10_000))

    def pick(self, name: str, options: list[tuple[str, str]]) -> None:
        """Set the options of a choice."""
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - narrows the stub's Field
        field.choices = options

    def clean(self) -> dict[str, Any]:
        """Read identities and the period; each mistake stands on its own field."""
        data = super().clean() or {}
        data["identities"] = self.read("commit", lambda: self.version(data))
        zone = zone_named(data.get("zone", "")) or ZoneInfo("UTC")
        for name in ("not_before", "not_after"):
            data[name] = self.local(name, data.get(name, ""), zone)
        return data

    def version(self, data: dict[str, Any]) -> tuple[str, ...]:
        """The identities given; raises BadContent under the field that holds the wrong one."""
        given = {"commit": [("git", data.get("commit", ""))], "config_digest": [("config", data.get("config_digest", ""))]}
        given["digests"] = [("sha256", line) for line in data.get("digests", "").split()]
        found: list[tuple[str, str]] = []
        for field, pairs in given.items():
            present = [pair for pair in pairs if pair[1].strip()]
            if present:
                read_identities(present, field)
            found += present
        return read_identities(found, "commit") if found else ()

    def read(self, field: str, work: Any) -> Any:  # noqa: ANN401
        """Run `work`; put what it refuses onto the fields it names."""
        try:
            return work()
        except BadContent as error:
            for name, sentences in error.errors.items():
                self.add_error(name if name in self.fields else field, sentences)
            return ()

    def local(self, name: str, text: str, zone: ZoneInfo) -> datetime | None:
        """A local moment in the zone beside it."""
        if not text:
            return None
        try:
            return datetime.strptime(text, LOCAL).replace(tzinfo=zone)
        except ValueError:
            self.add_error(name, "Write a date and a time, such as 2026-11-20T16:30.")
            return None

    def scope(self) -> Scope:
        """The first part."""
        data, service = self.cleaned_data, self.services[self.cleaned_data["service"]]
        rungs = tuple(EnvironmentRef(self.ladder[slug].public_id, self.ladder[slug].name) for slug in data["environments"])
        repository = service.repository_id if any(text.startswith("git:") for text in data["identities"]) else ""
        item = ItemContent(service.public_id, service.name, data["label"], data["identities"], repository, rungs)
        return Scope((item,), frozenset(Aspect(text) for text in data["aspects"]), data["reason"], data["impact"])

    def content(self, *, plan: tuple[Step, ...], rollback: tuple[Step, ...], evidence: tuple[Evidence, ...], now: datetime) -> Content:
        """All five parts; an empty end of the period becomes the default."""
        data = self.cleaned_data
        way_back = Rollback(
            strategy=Strategy(data["strategy"]) if data["strategy"] else None,
            steps=rollback,
            trigger=data["trigger"],
            seconds_to_restore=data["seconds_to_restore"],
            irreversible=tuple(filter(None, map(str.strip, data["irreversible"].splitlines()))),
            data_strategy=data["data_strategy"],
            reason=data["rollback_reason"],
        )
        end = data["not_after"] or default_period(now=now, zone=data["zone"]).not_after
        story = Story(data["title"], words(data["labels"]), words(data["told"]), data["description"])
        return Content(self.scope(), Plan(plan, evidence), way_back, Period(data["not_before"], end, data["zone"]), story)


def words(text: str) -> tuple[str, ...]:
    """Comma-separated words without blanks and repeats."""
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


class StepRow(forms.Form):
    """One step of a plan or of a way back; a row left empty is no step."""

    what = forms.CharField(label="What is done", required=False, widget=area(1))
    by = forms.ChoiceField(label="Who", choices=[("AUTOMATION", "automatic"), ("PERSON", "a person")], required=False)
    expected_seconds = forms.IntegerField(label="Seconds", required=False, min_value=0)
    verify = forms.CharField(label="Proved by", required=False, widget=area(1))

    def step(self) -> Step | None:
        """The step, or None for an empty row."""
        data = self.cleaned_data
        if not data.get("what", "").strip() and not data.get("verify", "").strip():
            return None
        return Step(data["what"], StepBy(data["by"] or "PERSON"), data["expected_seconds"], data["verify"])


Steps = forms.formset_factory(StepRow, extra=3, max_num=50, absolute_max=60)
