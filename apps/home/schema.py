"""The shapes of the API for changes: what is read, what is answered. Field names are those of a change's content."""

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from apps.changes.content import Aspect, StepBy, Strategy
from apps.changes.states import Kind, LegState, Outcome, State
from apps.home.sent import MomentField, Sent, TextField, text, texts

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Up to 200 printable characters. The same key with the same request within 24 hours gets the same answer and changes "
    "nothing again; with another request it is refused with 409 `key_reused`.",
)


def choices(kinds: type[Aspect | StepBy | Strategy | Kind | LegState | Outcome | State]) -> list[str]:
    """The values of an enumeration."""
    return [kind.value for kind in kinds]


class ItemInput(Sent):
    """One service, the version asked for and where it shall go."""

    answered = frozenset({"service_id", "service_name", "repository"})
    service = TextField(help_text="Short name or id of the service.")
    label = text(help_text="What people call the version, such as 3.18.1.")  # type: ignore[assignment]  # the metaclass takes it off the class
    identities = serializers.ListField(
        child=TextField(),
        required=False,
        default=list,
        help_text="`git:<full commit>`, `sha256:<digest>`, `config:<digest>`. Where the service names a repository, `git:` takes a branch, "
        "a tag or a short id as well and becomes the commit it means now; a commit that is not there is refused.",
    )
    environments = serializers.ListField(child=TextField(), required=False, default=list, help_text="Short names or ids of environments.")


class ScopeInput(Sent):
    """What, why and what users notice."""

    items = ItemInput(many=True, required=False, default=list)
    aspects = serializers.ListField(
        child=serializers.ChoiceField(choices(Aspect)),
        required=False,
        default=list,
        help_text="What is touched. Left out: what the files of the commit say, as far as the repository tells.",
    )
    reason = text()
    impact = text()


class StepInput(Sent):
    """One step of a plan."""

    what = text()
    by = serializers.ChoiceField(choices(StepBy), required=False, default=StepBy.PERSON.value)
    expected_seconds = serializers.IntegerField(required=False, allow_null=True, default=None)
    verify = text()


class EvidenceInput(Sent):
    """Something that was shown, bound by its digest."""

    name = text()
    sha256 = text()
    kind = text()


class PlanInput(Sent):
    """How it is done."""

    steps = StepInput(many=True, required=False, default=list)
    evidence = EvidenceInput(many=True, required=False, default=list)


class RollbackInput(Sent):
    """How to get back."""

    strategy = serializers.ChoiceField(choices(Strategy), required=False, allow_null=True, default=None)
    steps = StepInput(many=True, required=False, default=list)
    trigger = text()
    seconds_to_restore = serializers.IntegerField(required=False, allow_null=True, default=None)
    irreversible = texts()
    data_strategy = text()
    reason = text()
    point_of_no_return = serializers.IntegerField(required=False, allow_null=True, default=None)


class PeriodInput(Sent):
    """When the change is authorised."""

    not_before = MomentField(required=False, allow_null=True, default=None)
    not_after = MomentField()
    zone = text(default="UTC")


class StoryInput(Sent):
    """How it is told."""

    title = text(help_text="Left out: the services and their versions.")
    labels = texts()
    told = texts()
    description = text()


class ChangeInput(Sent):
    """A new change. Without a period it is authorised for fourteen days from now."""

    scope = ScopeInput()
    plan = PlanInput(required=False)
    rollback = RollbackInput(required=False)
    period = PeriodInput(required=False)
    story = StoryInput(required=False)
    model = text(help_text="Short name of a change model: parts that are not given are its, and so is the kind of the change.")
    kind = serializers.ChoiceField(choices(Kind), required=False, allow_null=True, default=None, help_text="With a model, its.")
    needs = serializers.ListField(
        child=TextField(), required=False, default=list, max_length=20, help_text="Changes that go first, such as CHG-1038."
    )
    submit = serializers.BooleanField(required=False, default=False, help_text="Submit it at once; then all of it is done or nothing.")


class RevisionInput(Sent):
    """An edit: the parts given replace those of the newest revision, the others stay as they are."""

    scope = ScopeInput(required=False)
    plan = PlanInput(required=False)
    rollback = RollbackInput(required=False)
    period = PeriodInput(required=False)
    story = StoryInput(required=False)
    revision_digest = text(help_text="The revision that was edited; when another one came in between, the edit is refused.")


class WithdrawalInput(Sent):
    """Why it is taken back."""

    reason = text()


class CommentInput(Sent):
    """What is said."""

    text = TextField()


class PersonOutput(serializers.Serializer[object]):
    """A person by id and printed name."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class CommentOutput(serializers.Serializer[object]):
    """What was said, by whom and when."""

    id = serializers.UUIDField()
    author = PersonOutput()
    at = serializers.DateTimeField()
    text = serializers.CharField()


class ItemOutput(serializers.Serializer[object]):
    """One service of a change; `service` is its short name today, `service_name` what was signed."""

    service = serializers.CharField()
    service_id = serializers.UUIDField()
    service_name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # the metaclass takes it off the class
    identities = serializers.ListField(child=serializers.CharField())
    repository = serializers.CharField()
    environments = serializers.ListField(child=serializers.CharField())


class ScopeOutput(serializers.Serializer[object]):
    """The scope part, readable again as input."""

    items = ItemOutput(many=True)
    aspects = serializers.ListField(child=serializers.ChoiceField(choices(Aspect)))
    reason = serializers.CharField()
    impact = serializers.CharField()


class ContentOutput(serializers.Serializer[object]):
    """The five parts of the newest revision."""

    scope = ScopeOutput()
    plan = PlanInput()
    rollback = RollbackInput()
    period = PeriodInput()
    story = StoryInput()


class RevisionOutput(serializers.Serializer[object]):
    """A revision by number and digest, with the digest of each part's bytes."""

    number = serializers.IntegerField()
    digest = serializers.CharField()
    part_digests = serializers.DictField(child=serializers.CharField())
    author = PersonOutput()
    made_at = serializers.DateTimeField()


class RuleOutput(serializers.Serializer[object]):
    """Where one rule stands."""

    key = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # the metaclass takes it off the class
    stage = serializers.IntegerField()
    state = serializers.ChoiceField(["AGREED", "WAITING", "LAPSED", "LATER"])
    missing = serializers.IntegerField()
    by = PersonOutput(many=True)
    lapsed = PersonOutput(many=True)


class PreApprovalOutput(serializers.Serializer[object]):
    """What the change's model says about one leg: approved beforehand, or why people have to sign."""

    model = serializers.CharField(help_text="Short name and version, such as `weekly:3`.")
    holds = serializers.BooleanField()
    agreed_by = serializers.CharField(allow_null=True, help_text="Null: its author alone, before there was a second administrator.")
    doubts = serializers.ListField(child=serializers.CharField())


class LegOutput(serializers.Serializer[object]):
    """One service in one environment of the change, with what its agreement still needs."""

    id = serializers.UUIDField()
    service = serializers.CharField()
    environment = serializers.CharField()
    state = serializers.ChoiceField(choices(LegState))
    is_agreed = serializers.BooleanField()
    can_be_agreed = serializers.BooleanField()
    cures = serializers.ListField(child=serializers.CharField())
    rules = RuleOutput(many=True)
    pre_approval = PreApprovalOutput(allow_null=True)


class ChangeOutput(serializers.Serializer[object]):
    """A change as it stands."""

    ref = serializers.CharField()
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices(Kind))
    state = serializers.ChoiceField(choices(State))
    outcome = serializers.ChoiceField(choices(Outcome), allow_null=True)
    url = serializers.URLField(help_text="Its page, for people.")
    requester = PersonOutput()
    created_at = serializers.DateTimeField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    risk = serializers.IntegerField(allow_null=True, help_text="Points as they were when it was submitted or saved since.")
    needs = serializers.ListField(child=serializers.CharField(), help_text="Changes that go first.")
    revision = RevisionOutput()
    content = ContentOutput()
    legs = LegOutput(many=True)
    warnings = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))


class FieldProblem(serializers.Serializer[object]):
    """What is wrong with one field, by its dotted path."""

    field = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class Problem(serializers.Serializer[object]):
    """RFC 9457. `code` is stable, `detail` and `cure` are for a person; `errors` names fields where there are some."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    cure = serializers.CharField(required=False)
    errors = FieldProblem(many=True, required=False)  # type: ignore[assignment]  # the metaclass takes it off the class
