"""The shapes of the list of changes in the API: what is asked, what is answered."""

from rest_framework import serializers

from apps.changes.states import Kind, LegState, Outcome, State
from apps.home.schema import PersonOutput, choices
from apps.home.search.grammar import LONGEST
from apps.home.search.order import ORDERS
from apps.home.sent import Sent

LARGEST_PAGE, USUAL_PAGE = 100, 25


class SearchInput(Sent):
    """A search, its order and where the page begins."""

    q = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        trim_whitespace=True,
        max_length=LONGEST,
        help_text="The same grammar as the list page: `state:in_review service:payments -kind:emergency risk:>=20 owner:@me words`.",
    )
    sort = serializers.ChoiceField([*ORDERS], required=False, default="newest")
    after = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000, help_text="`next` of the page before.")
    size = serializers.IntegerField(required=False, default=USUAL_PAGE, min_value=1, max_value=LARGEST_PAGE)


class ListedItemOutput(serializers.Serializer[object]):
    """One service and the version asked for it."""

    service = serializers.CharField(help_text="Short name of the service.")
    label = serializers.CharField()  # type: ignore[assignment]  # the metaclass takes it off the class
    identities = serializers.ListField(child=serializers.CharField())


class ListedLegOutput(serializers.Serializer[object]):
    """One service in one environment."""

    id = serializers.UUIDField()
    service = serializers.CharField()
    environment = serializers.CharField()
    state = serializers.ChoiceField(choices(LegState))
    planned_at = serializers.DateTimeField(allow_null=True)


class ListedChangeOutput(serializers.Serializer[object]):
    """A change as the list shows it; its own address holds everything."""

    ref = serializers.CharField()
    id = serializers.UUIDField()
    url = serializers.URLField(help_text="Its page, for people.")
    title = serializers.CharField()
    kind = serializers.ChoiceField(choices(Kind))
    state = serializers.ChoiceField(choices(State))
    outcome = serializers.ChoiceField(choices(Outcome), allow_null=True)
    risk = serializers.IntegerField(allow_null=True, help_text="Points; null for a change that was never submitted.")
    labels = serializers.ListField(child=serializers.CharField())
    aspects = serializers.ListField(child=serializers.CharField())
    requester = PersonOutput()
    created_at = serializers.DateTimeField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    not_before = serializers.DateTimeField(allow_null=True)
    not_after = serializers.DateTimeField(allow_null=True)
    items = ListedItemOutput(many=True)
    legs = ListedLegOutput(many=True)


class ChangeListOutput(serializers.Serializer[object]):
    """One page of changes."""

    changes = ListedChangeOutput(many=True)
    next = serializers.CharField(allow_null=True, help_text="Send it as `after` for the next page; null on the last one.")
    count = serializers.IntegerField(help_text="How many match, counted up to 500.")
    is_counted_whole = serializers.BooleanField(help_text="False where more match than were counted.")
    query = serializers.CharField(help_text="The search as it was read.")
