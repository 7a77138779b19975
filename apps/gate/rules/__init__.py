"""The gate's rules: `judge(facts) -> Verdict`, pure. Rules are small functions listed in `table.RULES`."""

from apps.gate.rules.applying import idle_rules
from apps.gate.rules.cases import Case
from apps.gate.rules.findings import Answer, Effect, Finding, Mode, Verdict
from apps.gate.rules.judging import VERSION, judge
from apps.gate.rules.shapes import (
    Action,
    AskerFacts,
    AskerKind,
    CalendarFacts,
    ClosedFacts,
    Detail,
    EnvironmentFacts,
    EvidenceFacts,
    Facts,
    HoldFacts,
    LegFacts,
    Question,
    ReservationFacts,
    Run,
    RungFacts,
    ServiceFacts,
    SlotFacts,
    TargetFacts,
)
from apps.gate.rules.table import FIRST, KEPT, NOT_YET, RULES, SWITCHABLE, Rule
from apps.gate.rules.ways import Step, Way, way_to_yes

__all__ = [
    "FIRST",
    "KEPT",
    "NOT_YET",
    "RULES",
    "SWITCHABLE",
    "VERSION",
    "Action",
    "Answer",
    "AskerFacts",
    "AskerKind",
    "CalendarFacts",
    "Case",
    "ClosedFacts",
    "Detail",
    "Effect",
    "EnvironmentFacts",
    "EvidenceFacts",
    "Facts",
    "Finding",
    "HoldFacts",
    "LegFacts",
    "Mode",
    "Question",
    "ReservationFacts",
    "Rule",
    "Run",
    "RungFacts",
    "ServiceFacts",
    "SlotFacts",
    "Step",
    "TargetFacts",
    "Verdict",
    "Way",
    "idle_rules",
    "judge",
    "way_to_yes",
]
