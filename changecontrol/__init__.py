"""The project: settings, addresses, entry points. Product code lives in `apps`."""

from changecontrol.celery import app as celery_app

__all__ = ["celery_app"]
