"""The request form as one thing: its fields, its rows, and the content they say. Nothing is saved here."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.forms import Form

from apps.catalog.models import Target
from apps.catalog.settings_body import read_settings
from apps.changes.content import AUTOMATIC, Content, Evidence, Plan, Scope, Step
from apps.home.facts.offering import Offer
from apps.home.facts.outlook import last_places
from apps.home.filling import place_of
from apps.home.forms import ChangeDraft, ItemRow, Items, StepRow, Steps
from apps.home.forms.draft import Defaults
from apps.home.typed import Values, query_of, rows_of, without_rows

ITEM_FIELDS_WITH_MANY = frozenset({"environments"})


@dataclass(frozen=True, slots=True)
class Wrong:
    """A field that needs another value: what people call it, where it is on the page, why. Without a place it is the form as a whole."""

    label: str
    anchor: str
    said: str


@dataclass
class Sheet:
    """The forms of the page."""

    form: ChangeDraft
    items: Any
    plan: Any
    rollback: Any
    offer: Offer
    days: int | None = None

    def is_valid(self) -> bool:
        """Whether every field can be read; all are always looked at."""
        return all([self.form.is_valid(), self.items.is_valid(), self.plan.is_valid(), self.rollback.is_valid()])

    def content(self, *, now: datetime, evidence: tuple[Evidence, ...] = (), config_digest: str = "") -> Content:
        """What the form says as far as it could be read; CONFIG_DIGEST names the document that is the first service's version."""
        items = tuple(item for row in self.said_items() if (item := row.item))
        if config_digest and items:
            identities = {*items[0].identities, f"config:{config_digest}"}
            items = (replace(items[0], identities=tuple(sorted(identities))), *items[1:])
        back = steps_of(self.rollback)
        defaults = Defaults(self.title, self.usual_seconds(), self.days)
        scope = Scope(items, self.form.aspects_said, self.form.said("reason"), self.form.said("impact"))
        way_back = self.form.rollback(back, defaults=defaults)
        story = self.form.story(defaults=defaults)
        return Content(scope, Plan(steps_of(self.plan), evidence), way_back, self.form.period(now=now, defaults=defaults), story)

    @property
    def title(self) -> str:
        """The title of a change that was given none: its services and versions."""
        return " and ".join(f"{item.service_name} {item.label}".strip() for row in self.said_items() if (item := row.item))[:200]

    def said_items(self) -> list[ItemRow]:
        """The rows that name something, in the order in which the content counts its items."""
        return [row for row in self.items if isinstance(row, ItemRow) and row.says_something]

    def asked_as(self) -> dict[UUID, str]:
        """For each service whose version was written as a branch or a tag, that name."""
        return {item.service_id: row.name_said for row in self.said_items() if row.name_said and (item := row.item)}

    def targets(self) -> list[Target]:
        """Where it goes, as far as that is known."""
        return [
            target
            for row in self.said_items()
            for target in self.offer.targets.get(row.cleaned_data.get("service", ""), ())
            if target.environment.slug in row.cleaned_data.get("environments", ())
        ]

    @property
    def planned_label(self) -> str:
        """What the planned start is called: it is that of the last rung of every service, the others go when they may."""
        last = sorted({target.environment.name for target in last_places(self.targets())}) if self.form.is_bound else []
        return f"Planned start in {' and '.join(last)}" if last else "Planned start"

    def usual_seconds(self) -> int | None:
        """How long going back takes by itself, as the deployment settings let expect; the longest counts. None where some have none."""
        targets = self.targets()
        if not targets or self.form.said("strategy") not in AUTOMATIC or any(target.settings is None for target in targets):
            return None
        return max(read_settings(bytes(target.settings.body)).deploy_seconds for target in targets if target.settings)

    def rows(self) -> dict[str, list[Any]]:
        """The rows that say something, by table."""
        return {"items": self.said_items(), "plan": said_steps(self.plan), "rollback": said_steps(self.rollback)}

    def put_errors(self, errors: Mapping[str, list[str]]) -> None:
        """Show every sentence on its field, on the row it is about, or above the form with its part named."""
        rows = self.rows()
        for path, sentences in errors.items():
            table, at, field = place_of(path)
            if table:
                said = rows[table] or [*getattr(self, table)]
                if at < len(said):
                    said[at].add_error(field, sentences)
                    continue
            name = field if not table and field else None
            place = "" if name or "." not in path else f"{path.split('.')[0].capitalize()}: "
            self.form.add_error(name, [f"{place}{sentence}" for sentence in sentences])

    def is_wrong(self, path: str) -> bool:
        """Whether the place of a dotted path is known to need another value."""
        table, at, name = place_of(path)
        if not table:
            return name in self.form.errors
        said = self.rows()[table] or [*getattr(self, table)]
        return at < len(said) and name in said[at].errors

    @property
    def wrong(self) -> list[Wrong]:
        """What needs another value, in the order of the page: a field once, with where it is and why."""
        tables = ((self.items, "Service"), (self.plan, "Step"), (self.rollback, "Way back, step"))
        found = wrong_in(self.form)
        for rows, word in tables:
            found += [Wrong("", "", said) for said in rows.non_form_errors()]
            for at, row in enumerate(rows, 1):
                found += wrong_in(row, place=f"{word} {at}: " if len(rows) > 1 else "")
        return found


def wrong_in(form: Form, *, place: str = "") -> list[Wrong]:
    """What of one form needs another value."""
    if not form.is_bound:
        return []
    names = [name for name in form.errors if name in form.fields]
    found = [Wrong("", "", str(said)) for said in form.non_field_errors()]
    for name in names:
        said = " ".join(str(one) for one in form.errors[name])
        anchor = "" if form[name].is_hidden else form[name].id_for_label or str(form[name].auto_id)
        found.append(Wrong(f"{place}{form[name].label}", anchor, said))
    return found


def said_steps(rows: Any) -> list[StepRow]:  # noqa: ANN401 - a formset class made at import
    """The rows that say something, in the order in which the content counts its steps."""
    return [row for row in rows if isinstance(row, StepRow) and row.says_something]


def steps_of(rows: Any) -> tuple[Step, ...]:  # noqa: ANN401 - a formset class made at import
    """The steps of the rows that say something."""
    return tuple(row.step for row in said_steps(rows))


def bound_sheet(values: Values, offer: Offer, *, days: int | None = None) -> Sheet:
    """The forms with what was sent; they can say what is wrong with it."""
    sent = query_of(values)
    return Sheet(
        ChangeDraft(sent),
        Items(sent, prefix="items", form_kwargs={"offer": offer}),
        Steps(sent, prefix="plan"),
        Steps(sent, prefix="rollback"),
        offer,
        days,
    )


def filled_sheet(values: Values, offer: Offer, *, days: int | None = None) -> Sheet:
    """The forms with what is there already; they say nothing about it."""
    initial = {name: texts if name == "aspects" else "".join(texts[:1]) for name, texts in without_rows(values).items()}
    return Sheet(
        ChangeDraft(initial=initial),
        Items(prefix="items", initial=row_values(values, "items"), form_kwargs={"offer": offer}),
        Steps(prefix="plan", initial=row_values(values, "plan")),
        Steps(prefix="rollback", initial=row_values(values, "rollback")),
        offer,
        days,
    )


def row_values(values: Values, prefix: str) -> list[dict[str, object]]:
    """The rows of one table as initial values."""
    return [
        {name: texts if name in ITEM_FIELDS_WITH_MANY else "".join(texts[:1]) for name, texts in row.items()}
        for row in rows_of(values, prefix)
    ]
