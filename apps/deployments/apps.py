"""Registers the app."""

from django.apps import AppConfig


class Deployments(AppConfig):
    """Orders to bring a version to a target: leases, drivers, checks, rollback."""

    name = "apps.deployments"
