"""The WSGI entry point that granian serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "changecontrol.settings")

handler = get_wsgi_application()

# It imports models, which are there only now.
from apps.gate.middleware import gate_before  # noqa: E402

application = gate_before(handler)
