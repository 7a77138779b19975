"""What the clock drives: repositories are read for changes that are open, and evidence that no change holds goes."""

import logging
import time

from celery import shared_task
from django.utils import timezone

from apps.catalog.repositories.git import NoCommit
from apps.catalog.repositories.mirrors import NotYet
from apps.catalog.repositories.opening import open_repository
from apps.catalog.repositories.passage import as_body, read_passage
from apps.changes.actions import clear_evidence, keep_failed_reading, keep_reading
from apps.changes.readings import ways_to_read

AT_ONCE, SECONDS = 50, 8.0
MOST_CLEARED = 200

logger = logging.getLogger(__name__)


@shared_task
def read_versions(**_: object) -> int:
    """Read the commits that open changes bring to their targets, where nobody has; the number of ways read."""
    until, done = time.monotonic() + SECONDS, 0
    silent: set[str] = set()  # repositories that cannot be opened now: the others have their turn
    for way in ways_to_read(most=AT_ONCE, now=timezone.now()):
        if time.monotonic() > until:
            break
        if way.repository in silent:
            continue
        try:
            repository = open_repository(way.repository)
        except NotYet:
            silent.add(way.repository)  # it is being fetched; the next tick finds it
            continue
        except NoCommit as error:
            silent.add(way.repository)
            keep_failed_reading(way=way, reason=str(error))
            logger.info("The repository of service %s is not read yet: %s", way.service_id, error)
            continue
        try:
            passage = read_passage(repository, base=way.base, commit=way.commit)
        except NoCommit as error:
            keep_failed_reading(way=way, reason=str(error))
        else:
            keep_reading(way=way, body=as_body(passage))
            done += 1
    return done


@shared_task
def clear_evidence_waiting(**_: object) -> int:
    """Remove what nobody saved with a change."""
    return clear_evidence(most=MOST_CLEARED)
