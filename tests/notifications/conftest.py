"""Mail goes to a real conversation on the loopback where a test asks for one, else into Django's outbox."""

from collections.abc import Iterator

import pytest

from tests.notifications.post import Post, post_office


@pytest.fixture
def post(settings) -> Iterator[Post]:
    """A mail server that takes everything until it is told otherwise."""
    with post_office() as running:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", running.port
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.EMAIL_TIMEOUT = 5
        yield running
