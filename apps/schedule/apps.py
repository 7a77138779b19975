"""Registers the app."""

from django.apps import AppConfig


class Schedule(AppConfig):
    """The calendar: freezes, windows, holds, slots, reservations."""

    name = "apps.schedule"
