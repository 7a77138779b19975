"""The log of refusals for asking too often: there, and no longer than the minutes it lasted."""

import logging

import pytest
from django.conf import settings

from apps.core.logs import EVERY_SECONDS, SparingOfRefusals


class Clock:
    """Stands until it is set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def line(status: int | None = 429, path: str = "/api/v1/gate/evaluations") -> logging.LogRecord:
    """What Django logs about an answer."""
    made = logging.LogRecord("django.request", logging.WARNING, "", 0, "Too Many Requests: %s", (path,), None)
    if status is not None:
        made.status_code = status
    return made


def test_first_refusal_is_logged_and_the_rest_of_the_minute_counted():
    clock = Clock()
    sparing = SparingOfRefusals(clock=clock)

    assert [sparing.filter(line()) for _ in range(500)] == [True] + [False] * 499
    clock.now += EVERY_SECONDS
    last = line(path="/100%s")
    assert sparing.filter(last)
    assert last.getMessage() == "Too Many Requests: /100%s (and 499 more since the last such line)"
    clock.now += EVERY_SECONDS
    quiet = line()
    assert sparing.filter(quiet)
    assert quiet.getMessage() == "Too Many Requests: /api/v1/gate/evaluations"


@pytest.mark.parametrize("status", [None, 401, 404, 500, 503])
def test_every_other_line_is_logged(status):
    sparing = SparingOfRefusals()

    assert all(sparing.filter(line(status)) for _ in range(5))


def test_it_stands_before_the_log_of_requests():
    assert settings.LOGGING["loggers"]["django.request"]["filters"] == ["sparing"]
    assert any(isinstance(one, SparingOfRefusals) for one in logging.getLogger("django.request").filters)
