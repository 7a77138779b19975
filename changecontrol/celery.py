"""The Celery application: it wakes workers. Orders live in PostgreSQL, so losing every message loses nothing."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "changecontrol.settings")

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
    # A tick that was not taken in time is worth nothing: the next one does its work. The worker's own clock decides,
    # and one that runs ahead must not drop them all: thirty seconds are more than machines in order differ.
    beat_schedule={
        "seal": {
            "task": "apps.audit.beat.seal_stream",
            "schedule": 1.0,
            "options": {"expires": 30},
        },
        "sweep-deployments": {
            "task": "apps.deployments.beat.sweep_deployments",
            "schedule": 1.0,
            "options": {"expires": 30},
        },
        "expire-changes": {
            "task": "apps.approvals.beat.expire_changes",
            "schedule": 60.0,
            "options": {"expires": 60},
        },
        "chase-agreements": {
            "task": "apps.approvals.beat.chase_agreements",
            "schedule": 300.0,
            "options": {"expires": 300},
        },
        "sweep-mail": {
            "task": "apps.notifications.beat.sweep_mail",
            "schedule": 5.0,
            "options": {"expires": 30},
        },
        "forget-mail": {
            "task": "apps.notifications.beat.forget_mail",
            "schedule": 3600.0,
            "options": {"expires": 3600},
        },
        "read-versions": {
            "task": "apps.changes.beat.read_versions",
            "schedule": 5.0,
            "options": {"expires": 30},
        },
        "clear-evidence": {
            "task": "apps.changes.beat.clear_evidence_waiting",
            "schedule": 3600.0,
            "options": {"expires": 3600},
        },
        "forget-what-ended": {
            "task": "apps.accounts.beat.forget_what_ended",
            "schedule": 3600.0,
            "options": {"expires": 3600},
        },
        "make-partitions": {
            "task": "apps.gate.beat.make_partitions",
            "schedule": 3600.0,
            "options": {"expires": 3600},
        },
    },
)
app.autodiscover_tasks(related_name="tasks")
app.autodiscover_tasks(related_name="beat")
