"""What the way of a change should do, written a second time and naively: no product code is used here."""

from dataclasses import dataclass, field
from itertools import permutations

PARTS = ("scope", "plan", "rollback", "period", "story")
SIGNED = frozenset({"scope", "plan", "rollback", "period"})


@dataclass
class Rule:
    group: str
    stage: int
    parts: frozenset[str]
    needed: int = 1


@dataclass
class Given:
    """One agreement: what it covered, as which groups, at which revision."""

    person: str
    covers: dict[str, int]
    groups: frozenset[str]
    revision: int
    withdrawn: bool = False
    is_from_before: bool = False  # its person was away since


@dataclass
class Model:
    """One change in one strict place."""

    groups: dict[str, frozenset[str]]  # person to the groups they are in
    editors: frozenset[str]
    requester: str
    state: str = "DRAFT"
    revision: int = 1
    versions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    last_editors: dict[str, str] = field(default_factory=dict)  # by part
    given: list[Given] = field(default_factory=list)
    inactive: set[str] = field(default_factory=set)
    rules: list[Rule] = field(
        default_factory=lambda: [Rule("business", 1, SIGNED), Rule("release", 2, frozenset({"scope", "period"}))],
    )

    def __post_init__(self) -> None:
        self.last_editors = dict.fromkeys(PARTS, self.requester)

    # What holds

    def stands(self, one: Given) -> bool:
        return not one.withdrawn and all(self.versions[part] == seen for part, seen in one.covers.items())

    def may_agree(self, person: str, rule: Rule) -> bool:
        return person not in self.kept_out(rule) and person not in self.inactive

    def kept_out(self, rule: Rule) -> set[str]:
        return {self.requester, *(self.last_editors[part] for part in rule.parts)}

    def counts(self, one: Given, rule: Rule) -> bool:
        able = self.may_agree(one.person, rule) and rule.group in self.groups[one.person] and rule.group in one.groups
        return not one.is_from_before and able and self.stands(one) and rule.parts <= set(one.covers)

    def filled(self) -> list[tuple[Rule, bool]]:
        """Every seat with whether it is filled, in the seating that fills the first seats first."""
        seats = [(rule, {one.person for one in self.given if self.counts(one, rule)}) for rule in self.rules for _ in range(rule.needed)]
        people = sorted(set().union(*(able for _, able in seats)))
        best = [False] * len(seats)
        for order in permutations([*people, *[None] * len(seats)], len(seats)):
            best = max(best, [person in able for person, (_, able) in zip(order, seats, strict=True)])
        return [(rule, is_filled) for (rule, _), is_filled in zip(seats, best, strict=True)]

    def met(self) -> bool:
        return all(is_filled for _, is_filled in self.filled())

    def open_rules(self, person: str) -> list[Rule]:
        missing = {rule.stage for rule, is_filled in self.filled() if not is_filled}
        first_missing = min(missing, default=99)
        mine = [rule for rule in self.rules if rule.group in self.groups[person] and self.may_agree(person, rule)]
        return [rule for rule in mine if rule.stage <= first_missing]

    def settle(self) -> None:
        if self.state == "IN_REVIEW" and self.met():
            self.state = "APPROVED"
        elif self.state == "APPROVED" and not self.met():
            self.state = "IN_REVIEW"

    # What is done: each returns whether it goes, and does it where it goes

    def submit(self, person: str) -> bool:
        if self.state != "DRAFT" or person != self.requester:
            return False
        self.state = "IN_REVIEW"
        self.settle()
        return True

    def edit(self, person: str, part: str, version: int) -> bool:
        editors = {self.requester} if self.state == "DRAFT" else {self.requester, *self.editors}
        if self.state not in {"DRAFT", "IN_REVIEW", "APPROVED"} or person not in editors or person in self.inactive:
            return False
        if self.versions[part] != version:
            self.versions[part], self.last_editors[part] = version, person
            self.revision += 1
            self.settle()
        return True

    def approve(self, person: str) -> bool:
        rules = self.open_rules(person)
        if self.state not in {"IN_REVIEW", "APPROVED"} or not rules:
            return False
        own = [one for one in self.given if one.person == person]
        if any(all(self.counts(one, rule) for rule in rules) for one in own):
            return False
        for one in own:
            one.withdrawn |= one.revision == self.revision
        covers = {part: self.versions[part] for rule in rules for part in rule.parts}
        self.given.append(Given(person, covers, frozenset(rule.group for rule in rules), self.revision))
        self.settle()
        return True

    def leave_or_come_back(self, person: str) -> None:
        self.inactive ^= {person}
        for one in self.given:
            one.is_from_before |= one.person == person

    def reject(self, person: str) -> bool:
        asked = person != self.requester and person not in self.inactive and self.groups[person]
        if self.state not in {"IN_REVIEW", "APPROVED"} or not asked:
            return False
        for one in self.given:
            one.withdrawn |= one.person == person and one.revision == self.revision
        self.state = "REJECTED"
        return True

    def send_back(self, person: str) -> bool:
        if self.state != "IN_REVIEW" or person == self.requester or person in self.inactive or not self.groups[person]:
            return False
        self.state = "DRAFT"
        return True

    def withdraw(self, person: str) -> bool:
        if self.state not in {"DRAFT", "IN_REVIEW", "APPROVED"} or person in self.inactive:
            return False
        for one in self.given:
            one.withdrawn |= one.person == person
        self.settle()
        return True
