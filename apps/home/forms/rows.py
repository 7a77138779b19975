"""Rows of the request form: the services that change, and the steps of a plan or of a way back. An empty row says nothing."""

from typing import Any

from django import forms
from django.forms.boundfield import BoundWidget

from apps.catalog.repositories.git import OBJECT_ID
from apps.catalog.versions import read_identities
from apps.changes.content import EnvironmentRef, ItemContent, Step, StepBy
from apps.core.refusals import BadContent
from apps.home.facts.offering import Offer
from apps.home.facts.version import commit_of
from apps.home.forms.inputs import area, line, seconds

MOST_ITEMS, MOST_STEPS = 20, 50
IDENTITY_FIELDS = {"commit": "git", "digests": "sha256", "config_digest": "config"}
NO_TARGET = "no target there"
SEEN = ("commit_asked", "commit_seen")
NO_SERVICE = "Choose the service first: its repository says which commit a name means."
NO_REPOSITORY = "This service names no repository that could say which commit a name means."


class ItemRow(forms.Form):
    """One service, its version and where it goes."""

    service = forms.ChoiceField(label="Service", required=False)
    label = line("Version", longest=120, placeholder="2.4.1", help_text="What people call it.")
    commit = line("Commit", longest=200, help_text="A branch or tag is resolved once, to the full commit it names now.")
    digests = area("Artifact digests", longest=2000, help_text="sha256, one to a line.")
    config_digest = line("Config digest", longest=71, help_text="For a change without a commit: the SHA-256 of the document that says it.")
    environments = forms.MultipleChoiceField(label="Environments", widget=forms.CheckboxSelectMultiple, required=False)

    def __init__(self, *args: Any, offer: Offer, **kwargs: Any) -> None:  # noqa: ANN401 - Django's own signature
        super().__init__(*args, **kwargs)
        self.offer = offer
        service, environments = self.fields["service"], self.fields["environments"]
        assert isinstance(service, forms.ChoiceField) and isinstance(environments, forms.ChoiceField)  # noqa: S101, PT018 - narrows the stub's Field
        service.choices = [("", "Choose a service"), *((slug, one.name) for slug, one in offer.services.items())]
        self.frozen = offer.frozen.get(self.chosen)
        for name in ("label", *IDENTITY_FIELDS) if self.frozen else ():
            self.fields[name].widget.attrs["readonly"] = True
        self.hints = {slug: hint for slug, _, hint in offer.rungs(self.chosen)}
        environments.choices = [(slug, environment.name) for slug, environment in offer.ladder.items()]

    @property
    def chosen(self) -> str:
        """The short name of the service that the row names as it stands."""
        value = self["service"].value()
        return value if isinstance(value, str) and value in self.offer.services else ""

    @property
    def asked_as(self) -> str:
        """What was written for the commit that the row holds, where the change was saved with a branch or a tag."""
        commit, name = self.offer.asked.get(self.chosen, ("", ""))
        return name if commit and commit == str(self["commit"].value() or "").strip().lower() else ""

    @property
    def name_said(self) -> str:
        """The branch, the tag or the short id that was written; empty where it is the commit's whole id."""
        written = str(self.cleaned_data.get("commit") or "").strip()
        return "" if OBJECT_ID.fullmatch(written.lower()) else written

    @property
    def rungs(self) -> list[tuple[BoundWidget, str]]:
        """The boxes of the environments where the service can go, each with what runs there; and of those chosen all the same."""
        boxes = [(box, str(box.data["value"])) for box in self["environments"].subwidgets]
        return [(box, self.hints.get(slug, NO_TARGET)) for box, slug in boxes if slug in self.hints or box.data["selected"]]

    @property
    def holds_digest(self) -> bool:
        """Whether the seldom fields say something, so that they are shown open."""
        return any(self[name].value() or self[name].errors for name in ("digests", "config_digest"))

    def clean(self) -> dict[str, Any]:
        """Read the identities; each mistake stands on its own field."""
        data = super().clean() or {}
        found = [pair for name in IDENTITY_FIELDS for pair in self.identities_in(name, str(data.get(name, "")))]
        data["identities"] = () if self.errors else read_identities(found, "commit") if found else ()
        return data

    def identities_in(self, name: str, text: str) -> list[tuple[str, str]]:
        """The identities that one field gives; a branch or a tag becomes the commit that its sender was shown."""
        service = self.offer.services.get(self.chosen)
        try:
            if name == "commit" and service is not None and service.repository:
                text = commit_of(service, text, sent={each: str(self.data.get(self.add_prefix(each), "")) for each in SEEN})
            pairs = [(IDENTITY_FIELDS[name], one) for one in text.split()]
            if pairs:
                read_identities(pairs, name)
        except BadContent as error:
            said = [said for sentences in error.errors.values() for said in sentences]
            if name == "commit" and len(text.split()) == 1 and not (service and service.repository):
                said.append(NO_REPOSITORY if service else NO_SERVICE)
            self.add_error(name, said)
            return []
        return pairs

    @property
    def says_something(self) -> bool:
        """Whether anything was written or chosen in it, environments aside."""
        return any(str(self[name].value() or "").strip() for name in ("service", "label", *IDENTITY_FIELDS))

    @property
    def item(self) -> ItemContent | None:
        """The item, where a service is chosen."""
        data = self.cleaned_data
        service = self.offer.services.get(data.get("service", ""))
        if service is None:
            return None
        rungs = [self.offer.ladder[slug] for slug in data.get("environments", [])]
        identities = data.get("identities", ())
        return ItemContent(
            service_id=service.public_id,
            service_name=service.name,
            label=data.get("label", ""),
            identities=identities,
            repository=service.repository_id if any(text.startswith("git:") for text in identities) else "",
            environments=tuple(EnvironmentRef(rung.public_id, rung.name) for rung in rungs),
        )


class StepRow(forms.Form):
    """One step of a plan or of a way back."""

    what = area("What is done")
    by = forms.ChoiceField(label="Who", choices=[("AUTOMATION", "automatic"), ("PERSON", "a person")], required=False)
    expected_seconds = seconds("Seconds")
    verify = area("Proved by")

    @property
    def says_something(self) -> bool:
        """Whether it is a step at all."""
        return any(str(self[name].value() or "").strip() for name in ("what", "verify"))

    @property
    def step(self) -> Step:
        """The step, of what could be read."""
        data = self.cleaned_data
        return Step(data.get("what", ""), StepBy(data.get("by") or "PERSON"), data.get("expected_seconds"), data.get("verify", ""))


Items = forms.formset_factory(ItemRow, extra=0, max_num=MOST_ITEMS, absolute_max=MOST_ITEMS + 10)
Steps = forms.formset_factory(StepRow, extra=0, max_num=MOST_STEPS, absolute_max=MOST_STEPS + 10)
