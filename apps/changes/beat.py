"""What the clock drives: repositories are read for changes that are open, and evidence that no change holds goes."""

import logging
import time

from celery import shared_task

from apps.catalog.repositories.git import NoCommit
from apps.catalog.repositories.mirrors import NotYet
from apps.catalog.repositories.opening import open_repository
from apps.catalog.repositories.passage import as_body, read_passage
from apps.changes.actions import clear_evidence, keep_reading
from apps.changes.readings import Way, ways_to_read

AT_ONCE, SECONDS = 50, 8.0
AGAIN_SECONDS = 60.0  # before a repository that could not be read is asked again by this process
MOST_CLEARED = 200

logger = logging.getLogger(__name__)
_failed: dict[Way, float] = {}


@shared_task
def read_versions(**_: object) -> int:
    """Read the commits that open changes bring to their targets, where nobody has; the number of ways read."""
    until, done = time.monotonic() + SECONDS, 0
    for way in ways_to_read(most=AT_ONCE):
        if time.monotonic() > until:
            break
        if time.monotonic() - _failed.get(way, float("-inf")) < AGAIN_SECONDS:
            continue
        try:
            passage = read_passage(open_repository(way.repository), base=way.base, commit=way.commit)
        except NotYet:
            continue  # it is being fetched; the next tick finds it
        except NoCommit as error:
            _failed[way] = time.monotonic()
            logger.info("The repository of service %s is not read yet: %s", way.service_id, error)
        else:
            keep_reading(way=way, body=as_body(passage))
            _failed.pop(way, None)
            done += 1
    return done


@shared_task
def clear_evidence_waiting(**_: object) -> int:
    """Remove what nobody saved with a change."""
    return clear_evidence(most=MOST_CLEARED)
