"""The clock times of a reach: said once, however many pieces begin in the same minute."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from apps.core.reach import clocks_of, reach_spans, span_said

BERLIN = ZoneInfo("Europe/Berlin")
AT = datetime(2026, 11, 19, 14, 20, 30, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("seconds", "freeze", "clocks", "said"),
    [
        ((900, 1800, 300), None, [("14:20", ""), ("14:35", ""), ("15:05", "15:10")], "way back 15:05 to 15:10"),
        ((4, 0, 10), None, [("14:20", ""), ("", "")], "way back 14:20"),
        ((4, 0, 60), None, [("14:20", ""), ("", "14:21")], "way back 14:20 to 14:21"),
        ((60, 5, 5), None, [("14:20", ""), ("14:21", ""), ("", "")], "way back 14:21"),
        ((120, 0, 5), 130, [("14:20", ""), ("14:22", ""), ("", "")], "freeze from 14:22"),
    ],
)
def test_a_minute_is_said_once(seconds, freeze, clocks, said):
    deploy, bake, way_back = (timedelta(seconds=one) for one in seconds)
    freeze_at = AT + timedelta(seconds=freeze) if freeze else None
    spans = reach_spans(AT, deploy=deploy, bake=bake, way_back=way_back, freeze_at=freeze_at)

    assert [(begins, ends) for _, begins, ends in clocks_of(spans, zone=BERLIN)] == clocks
    assert span_said(spans[-1], zone=BERLIN) == said


def test_the_same_clock_a_day_later_is_another_moment():
    spans = reach_spans(AT, deploy=timedelta(days=1), bake=timedelta(0), way_back=timedelta(minutes=5))

    assert [(begins, ends) for _, begins, ends in clocks_of(spans, zone=BERLIN)] == [("14:20", ""), ("14:20", "14:25")]
