"""What the gate is measured against, served by the same server: a view that does nothing, and one that writes one durable row."""

import os

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from apps.gate.middleware import gate_before
from apps.gate.wire import Statement, write

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "changecontrol.settings")

ROW = Statement("bench_row", "insert into bench_row (at, body) values (clock_timestamp(), $1) returning id", ("bytea",))
BODY = b"x" * 730  # as long as the record of an answer


def bare(request: HttpRequest) -> HttpResponse:
    """A Django view and nothing else."""
    del request
    return answer({"verdict": "ALLOW"})


def durable(request: HttpRequest) -> HttpResponse:
    """One row, on disk before the answer, by the cheapest way there is."""
    del request
    return answer({"id": int(write(ROW, (BODY,))[0][0] or 0)})


def answer(body: dict[str, object]) -> HttpResponse:
    """Whole, not in chunks: the middleware that sees to it is not there."""
    response = JsonResponse(body)
    response["Content-Length"] = str(len(response.content))
    return response


urlpatterns = [path("bare", bare), path("durable", durable)]

# Beside the gate, which answers first, nothing is put in front of the two views: all three are measured without middleware.
django.setup()
settings.MIDDLEWARE = []
settings.ROOT_URLCONF = "benchmarks.served"
application = gate_before(WSGIHandler())
