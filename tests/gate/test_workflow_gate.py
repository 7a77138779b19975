"""The way of a change with the walls around it: after every step the gate says exactly what the model says.

The same people and verbs as in the workflow machine, and freezes, holds and deployment settings that come and go."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from apps.catalog.models import Target
from apps.catalog.settings_body import settings_bytes
from apps.catalog.steps import add_settings
from apps.changes.models import Leg
from apps.core.actors import system
from apps.gate.judgement import verdict_now
from apps.schedule.actions import declare_freeze, lift_freeze, lift_hold, place_hold
from tests.conftest import NOW
from tests.factories.catalog import SETTINGS
from tests.test_workflow_machine import Workflow
from tests.workflow_model import Model

HOUR = timedelta(hours=1)


class GatedModel(Model):
    """The model, with the deployment settings that everybody had before their eyes when they agreed."""

    settings_now = 0

    def approve(self, person):
        given, kept = len(self.given), list(self.given)
        # What was given with other settings is no reason not to agree again.
        self.given = [one for one in self.given if one.settings == self.settings_now or one.person != person]
        went = super().approve(person)
        added = self.given[len(self.given) - 1 :] if went else []
        for one in added:
            one.settings = self.settings_now
        for one in kept:
            one.withdrawn |= bool(added) and one.person == person and one.revision == self.revision
        self.given = [*kept, *added]
        assert len(self.given) == given + len(added)
        if went:
            self.settle()
        return went

    def met_with_these_settings(self):
        everything, self.given = self.given, [one for one in self.given if one.settings == self.settings_now]
        met = self.met()
        self.given = everything
        return met


class GatedWorkflow(Workflow):
    """People at work on one change, and others who build walls in its way."""

    freeze = hold = None

    def begin_model(self, **more):
        return GatedModel(**more)

    @rule()
    def freeze_or_thaw(self):
        by = self.actor("max")
        if self.freeze is None:
            self.freeze = declare_freeze(title="Departures", starts_at=NOW, ends_at=NOW + HOUR, time_zone="UTC", by=by, now=NOW)
        else:
            lift_freeze(rule_id=self.freeze.pk, by=by, now=NOW)
            self.freeze = None

    @rule()
    def hold_or_lift(self):
        by = self.actor("max")
        if self.hold is None:
            self.hold = place_hold(scope_kind="EVERYTHING", scope_id=None, reason="We look into something.", by=by, now=NOW)
        else:
            lift_hold(hold_id=self.hold.pk, by=by, reason="It is well.", now=NOW)
            self.hold = None

    @rule(version=st.integers(0, 1))
    def write_settings(self, version):
        target = Target.objects.select_related("service", "environment", "settings").get(pk=self.leg().target_id)
        add_settings(target, settings_bytes({**SETTINGS, "bake_seconds": version}), by=system("test"), at=NOW)
        self.model.settings_now = version

    def leg(self):
        return Leg.objects.select_related("service", "environment", "item", "target").get(change=self.change, is_current=True)

    def expected(self):
        """The model's answer: what the change itself says, then the walls."""
        model = self.model
        if model.state == "DRAFT":
            return "DENY"
        if model.state == "REJECTED" or self.hold is not None:
            return "DENY"
        if not model.met():
            return "PENDING"
        if not model.met_with_these_settings():
            return "DENY"
        return "PENDING" if self.freeze is not None else "ALLOW"

    @invariant()
    def the_gate_says_what_the_model_says(self):
        if hasattr(self, "model"):
            verdict = verdict_now(self.leg(), now=NOW)
            assert verdict.verdict.value == self.expected(), [finding.code for finding in verdict.findings]


@pytest.mark.slow
def test_the_gate_agrees_with_the_model_after_every_step(db):
    run_state_machine_as_test(
        GatedWorkflow,
        settings=settings(max_examples=15, stateful_step_count=25, deadline=None, database=None, suppress_health_check=list(HealthCheck)),
    )
