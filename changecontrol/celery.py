"""The Celery application: it wakes workers. Orders live in PostgreSQL, so losing every message loses nothing."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "changecontrol.settings")

# What the clock drives: the task, every how many seconds, and after how many a tick that nobody took is dropped: the next
# one does its work. The worker's own clock decides, and one that runs ahead must not drop them all: thirty seconds are more
# than machines in order differ.
CLOCK = {
    "seal": ("apps.audit.beat.seal_stream", 1.0, 30),
    "sweep-deployments": ("apps.deployments.beat.sweep_deployments", 1.0, 30),
    "expire-changes": ("apps.approvals.beat.expire_changes", 60.0, 60),
    "rejudge-changes": ("apps.approvals.beat.rejudge_changes", 5.0, 30),
    "chase-agreements": ("apps.approvals.beat.chase_agreements", 300.0, 300),
    "lapse-exceptions": ("apps.approvals.beat.lapse_exceptions", 60.0, 60),
    "tell-due-reviews": ("apps.approvals.beat.tell_due_reviews", 300.0, 300),
    "tell-overdue-reviews": ("apps.approvals.beat.tell_overdue_reviews", 300.0, 300),
    "sweep-mail": ("apps.notifications.beat.sweep_mail", 5.0, 30),
    "forget-mail": ("apps.notifications.beat.forget_mail", 3600.0, 3600),
    "read-versions": ("apps.changes.beat.read_versions", 5.0, 30),
    "clear-evidence": ("apps.changes.beat.clear_evidence_waiting", 3600.0, 3600),
    "forget-what-ended": ("apps.accounts.beat.forget_what_ended", 3600.0, 3600),
    "make-partitions": ("apps.gate.beat.make_partitions", 3600.0, 3600),
}

app = Celery("changecontrol")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    task_serializer="json",
    accept_content=["json"],
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    # A sender asks a broker that is away once, not for six seconds: whatever it wanted to wake is found by the sweeper.
    broker_transport_options={"visibility_timeout": 60, "max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
    timezone="UTC",
    # Nobody may steer workers through the broker: whoever reaches it could stop them all.
    worker_enable_remote_control=False,
    beat_schedule={
        name: {"task": task, "schedule": every, "options": {"expires": expires}} for name, (task, every, expires) in CLOCK.items()
    },
)
app.autodiscover_tasks(related_name="tasks")
app.autodiscover_tasks(related_name="beat")
