"""The list of changes for programs: the grammar of the list page, pages by key."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import Person
from apps.core.refusals import BadContent
from apps.home.facts.change_document import page_url
from apps.home.facts.listing import COUNTED, Ask, Row, listing
from apps.home.finding_schema import ChangeListOutput, SearchInput
from apps.home.schema import Problem
from apps.home.search.grammar import printed
from apps.home.search.order import read_cursor


class FoundChanges(APIView):
    """The changes of the installation, for reading."""

    @extend_schema(
        operation_id="list_changes",
        parameters=[SearchInput],
        responses={200: ChangeListOutput, 400: Problem, 401: Problem, 403: Problem, 422: Problem},
        tags=["changes"],
    )
    def get(self, request: Request) -> Response:
        """The changes that match a search, a page at a time. 422 names every term that cannot be read, with its cure."""
        assert isinstance(request.user, Person)  # noqa: S101 - the permission class lets nobody else through
        given = SearchInput(data=request.query_params)
        given.is_valid(raise_exception=True)
        asked = given.validated_data
        found = listing(request.user, Ask(asked["q"], asked["sort"], asked["after"], asked["size"]))
        if found.problems:
            raise BadContent({"q": [f"{one.term}: {one.message} {one.cure}" for one in found.problems]})
        if asked["after"] and read_cursor(asked["after"], found.order) is None:
            raise BadContent({"after": ["No page goes on from here. Send `next` of the answer before, with the same sort."]})
        body = {
            "changes": [listed_change(row) for row in found.rows],
            "next": found.next_cursor or None,
            "count": min(found.count, COUNTED),
            "is_counted_whole": found.count <= COUNTED,
            "query": printed(found.query),
        }
        return Response(ChangeListOutput(body).data)


def listed_change(row: Row) -> dict[str, Any]:
    """One row as a document."""
    change = row.change
    return {
        **{name: getattr(change, name) for name in ("ref", "title", "kind", "state", "risk", "labels", "aspects")},
        **{name: getattr(change, name) for name in ("created_at", "submitted_at", "not_before", "not_after")},
        "id": change.public_id,
        "url": page_url(change),
        "outcome": change.outcome or None,
        "requester": {"id": change.requester.public_id, "name": change.requester.name},
        "items": [{"service": item.service.slug, "label": item.label, "identities": item.identities} for item in row.items],
        "legs": [
            {
                "id": leg.public_id,
                "service": leg.service.slug,
                "environment": leg.environment.slug,
                "state": leg.state,
                "planned_at": getattr(leg, "starts_at", None),
            }
            for leg in row.legs
        ],
    }
