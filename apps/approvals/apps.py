"""Registers the app and what it adds to an export of the stream."""

from django.apps import AppConfig


class Approvals(AppConfig):
    """Who must agree and who did: policies, rules, sign-offs, quorum."""

    name = "apps.approvals"

    def ready(self) -> None:
        """Let every export of the stream carry the statements that its entries tell of."""
        from apps.approvals.export import sign_off_lines  # noqa: PLC0415 - models are not loaded before this
        from apps.audit.export import register  # noqa: PLC0415

        register("sign_off", sign_off_lines)
