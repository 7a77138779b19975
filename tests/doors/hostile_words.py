"""Every column that holds words, and what a hostile sender would have it say: a new one fails a test until it is classified here."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import Error, connection, transaction
from django.db.models import BinaryField, CharField, Field, JSONField, Model, TextField

from changecontrol.embedded.cluster import APP
from changecontrol.embedded.postgres import SUPERUSER, PrivatePostgres
from tests.conftest import SHARED

TURNED, UNSEEN, RIGHT, JOINER = "\u202e", "\u200b", "\u200f", "\u200d"
SIGNS = "array['=', '+', '-', '@']"  # what a formula begins with: another one in each row
UNKNOWN_LENGTH = 400
# What the names of columns say: never words of people.
REGULAR = {
    "an actor by kind and public id": r".*(_by|(Move|TimelineEntry|Report)\.by|Pipeline\.caller)",
    "a digest, a key, a signature, or what one was made of": r".*(_digest|\.digest|hash|sha256|signature|key_id|\.alg|binds|\.asked|\.public"
    r"|endorsement|credential_id|public_key|authenticator_data|client_data|assertion|\.salt|\.leaves|\.head|previous_head)",
    "identities of a version: what is no commit and no digest is refused": r".*(identities|\.identity)",
    "a short name: what is not small letters, digits and hyphens is refused": r".*\.slug",
    "a zone, found in the list of zones": r".*\.time_zone",
    "a mailbox, checked to be one": r".*\.email",
    "where a passkey was used: our own address": r".*\.(rp_id|origin)",
    "who works on it: the name of a worker": r".*\.holder",
    "the name or the beginning of a secret": r".*(session_key|\.prefix|\.credential)",
    "what a program calls its request: compared, never shown": r".*\.key",
    "an id that a program gave": r".*(\.repository_id|Hold\.source_ref|(Entry|Delivery)\.(subject|refs|thread)|Reading\.(base|commit)|Seal\.floor|Entry\.xid)",
    "a word of a list, chosen by a program": r".*(\.event|\.kinds?|\.aspects|covered_parts|\.codes|\.actions|\.lifts|\.rule|Move\.(start|goal)"
    r"|Relaxation\.(before|after)|Attempt\.ended_as|refusal_code|Seal\.system|Detail\.field)",
}
BY_PROGRAMS = {
    "accounts.Counted.value": "a number",
    "accounts.Identity.issuer": "the address of a provider, from the settings",
    "accounts.Identity.value": "a mailbox or a subject in its normal spelling, checked to be one",
    "accounts.Person.password": "a hash",
    "accounts.SignIn.means": "words of a list",
    "audit.Cursor.name": "the name of a reader of the stream, from the code",
    "audit.Entry.body": "canonical bytes of what verbs say; the words of people are in its details",
    "audit.Seal.body": "numbers and digests",
    "changes.Change.words": "what is searched in: words taken apart",
    "approvals.ExceptionSignature.statement": "what was signed of the words beside it",
    "approvals.SignOff.statement": "what was signed of the words beside it",
    "changes.ChangeModelVersion.statement": "what was signed of the body beside it",
    "changes.EvidenceChunk.body": "bytes that are given back as a file",
    "changes.GivenAnswer.body": "an answer that is given again, byte by byte, to the program that asked",
    "changes.GivenAnswer.location": "an address of ours",
    "changes.Revision.period": "two moments and a zone",
    "deployments.Deployment.cursor": "what a driver remembers of its own steps",
    "deployments.Measurement.check_name": "the name of a check, as the settings of its place say it",
    "deployments.Pipeline.answer": "an answer that is given again, byte by byte, to the program that asked",
    "gate.Issuer.project_claim": "the name of a claim, checked to be one",
    "gate.SpentTicket.spent_for": "an id",
    "gate.VerdictRow.record": "what was answered, in the words of other columns",
    "gate.Ticket.payload": "canonical bytes that are verified, never shown",
}
# Words inside documents whose bytes are bound by digests: written by the verbs that make them, each place with a mark of its own.
DOCUMENTS = {
    "approvals.PolicyProposal.body",
    "approvals.PolicyVersion.body",
    "audit.Detail.text",
    "catalog.TargetSettings.body",
    "changes.ChangeModelProposal.body",
    "changes.ChangeModelVersion.body",
    "changes.DraftInput.body",
    "changes.EvidenceFile.counted",
    "changes.Revision.plan",
    "changes.Revision.rollback",
    "changes.Revision.scope",
    "changes.Revision.story",
    "changes.VersionReading.body",
    "gate.Evaluation.question",
}
# Addresses that a page makes links of.
ADDRESSES = {"catalog.Service.repository", "changes.EvidenceFile.link", "deployments.Pipeline.run_url", "gate.Issuer.url"}
Column = tuple[type[Model], Field]


def text_columns() -> Iterator[tuple[str, Column]]:
    """Every column that words or bytes could be in, by `app.Model.field`; one whose values the model lists is none."""
    for model in apps.get_models():
        if model.__module__.startswith("apps."):
            for one in model._meta.concrete_fields:
                plain = one.base_field if isinstance(one, ArrayField) else one
                if isinstance(plain, (CharField, TextField, JSONField, BinaryField)) and not one.choices and not one.is_relation:
                    yield f"{model._meta.label}.{one.name}", (model, one)


def is_regular(name: str) -> bool:
    """Whether its name says that no words are in it."""
    return any(re.fullmatch(pattern, name) for pattern in REGULAR.values())


def written_by_people() -> dict[str, Column]:
    """The columns of what people, pipelines and other systems say."""
    known = BY_PROGRAMS.keys() | DOCUMENTS
    return {name: column for name, column in text_columns() if name not in known and not is_regular(name)}


@dataclass
class Words:
    """Hostile words, each with a mark that names the place it was written to."""

    marks: dict[str, str] = field(default_factory=dict)

    def mark(self, place: str) -> str:
        """The mark of a place."""
        return self.marks.setdefault(place, f"q{len(self.marks) + 10}z")

    def line(self, place: str) -> str:
        """One line as every door lets it pass: markup, a formula, a script in Markdown."""
        mark = self.mark(place)
        return f"=\"'><{mark} on{mark}=1>[{mark}](javascript:{mark})<script>{mark}()</script>"

    def hidden(self, place: str) -> str:
        """The same with what turns its neighbours, shows nothing, or joins where nothing is joined."""
        mark = self.mark(place)
        return f"\"'><{mark} on{mark}=1>{TURNED}{UNSEEN}{RIGHT}a{JOINER}b&#8238;[{mark}](javascript:{mark})<script>{mark}()</script>"

    def text(self, place: str) -> str:
        """Several lines: every way in which Markdown makes an address, a picture or an element."""
        mark = self.mark(place)
        links = f"[a][x] ![b](data:text/html,{mark}) <javascript:{mark}> [x]: vbscript:{mark}\n\n[x]: javascript:{mark}\n\n[c](JaVaScRiPt&#58;{mark})"
        return f'={self.hidden(place)}\n\n{links} https://ci.example.org/"on{mark}=1\n\n| a | <b on{mark}=1> |\n|---|---|\n| 1 | </td><{mark}> |\n'


@contextmanager
def unguarded(server: PrivatePostgres) -> Iterator[None]:
    """Let the app write every column for a while, as somebody who took over the database: no trigger looks, constraints still do."""
    give = f"grant pg_write_all_data to {APP}; grant set on parameter session_replication_role to {APP}"
    take = f"revoke pg_write_all_data from {APP}; revoke set on parameter session_replication_role from {APP}"
    with psycopg.connect(server.url(role=SUPERUSER, database=SHARED), autocommit=True) as chief, connection.cursor() as cursor:
        chief.execute(give)
        try:
            cursor.execute("set local session_replication_role = replica")
            yield
            cursor.execute("set local session_replication_role = origin")
        finally:
            chief.execute(take)


def write_columns(words: Words) -> Mapping[str, int]:
    """Make every row hostile; how many there were of each column."""
    return {name: _write(*column, words=words, place=name) for name, column in written_by_people().items()}


def _write(model: type[Model], one: Field, *, words: Words, place: str) -> int:
    """Every row, or where constraints tie it to another column, those in which something stands."""
    table, column, key = model._meta.db_table, one.column, model._meta.pk.column
    plain = one.base_field if isinstance(one, ArrayField) else one
    longest = plain.max_length or UNKNOWN_LENGTH
    said = f"javascript:{words.mark(place)}//" if place in ADDRESSES else words.hidden(place)
    sign = "''" if place in ADDRESSES else f"({SIGNS})[1 + (hashtext({key}::text) & 3)]"
    value = f"left({sign} || %s, {longest} - length({key}::text)) || {key}::text"
    filled = f"array[{value}]::varchar[]" if isinstance(one, ArrayField) else value
    for rows in ("", f" where {column} <> ''"):
        point = transaction.savepoint()
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"update {table} set {column} = {filled}{rows}", [said])
                return cursor.rowcount
        except Error:
            transaction.savepoint_rollback(point)
    return 0
