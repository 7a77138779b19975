"""The page about the rules, written from the table: `docs/gate-rules.md` says what the judge does, because it is made from it."""

from apps.gate.rules import NOT_YET, RULES, VERSION, Rule

HEAD = f"""# What the gate looks at

Written by `manage.py write_gate_rules` from `apps/gate/rules/table.py`; a test keeps it fresh. Rules version {VERSION}.

The gate answers one question: may these identities of this service go to this environment now?

- A finding that **blocks** makes the answer **DENY**. One that **waits** makes it **PENDING**, unless another blocks.
  One that **warns** changes nothing. Without any finding that blocks or waits the answer is **ALLOW**.
- An answer is **final** where asking again with the same question cannot help.
- An error of ours is told as status 503. It is never a yes.
- Each rule may be set to ENFORCED, WARN_ONLY or OFF per environment, except those marked *always*.
- The first two rules answer alone: who may not ask is told nothing else.
- Where several open changes name the version, the best of their answers counts.

"""

BACK = """## Going back

The action `rollback` needs no change of its own: it leads to exactly the release that ran before, and nowhere else. It passes
freezes, holds, windows, slots and reservations. A lock and another deployment on the target still stand in its way.

"""


def rules_page() -> str:
    """The whole page."""
    later = "".join(f"- **{name}**: {what}\n" for name, what in NOT_YET.items())
    sections = "".join(_section(rule) for rule in RULES)
    return f"{HEAD}{sections}{BACK}## Not yet\n\nThese wait for facts that nobody records yet. They are not judged.\n\n{later}"


def _section(rule: Rule) -> str:
    rows = "".join(f"| `{code}` | {when} |\n" for code, when in rule.codes.items())
    switch = "" if rule.can_be_off else " · *always*"
    return f"## {rule.title}\n\n`{rule.name}`{switch}. {rule.asks}\n\n| code | when |\n| --- | --- |\n{rows}\n"
