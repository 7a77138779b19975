"""Registers the app, what it adds to an export of the stream and what it reads of it."""

from django.apps import AppConfig


class Approvals(AppConfig):
    """Who must agree and who did: policies, rules, sign-offs, quorum."""

    name = "apps.approvals"

    def ready(self) -> None:
        """Let every export of the stream carry the statements that its entries tell of, and let the stream tell us what happened."""
        from apps.approvals import export as lines  # noqa: PLC0415 - models are not loaded before this
        from apps.approvals.following import follow_stream  # noqa: PLC0415
        from apps.audit import export, followers  # noqa: PLC0415

        export.register("sign_off", lines.sign_off_lines)
        export.register("signature", lines.signature_lines)
        export.register("exception", lines.exception_lines)
        export.register("person", lines.person_lines)
        followers.register("approvals", follow_stream)
