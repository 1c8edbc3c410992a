"""What came of the scenarios: outcomes, steps and conversations."""

from dataclasses import dataclass, field
from enum import StrEnum

from fixgw.certify.grammar import Script
from fixgw.certify.wire import Heard


class Outcome(StrEnum):
    """What came of a scenario."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"


@dataclass(slots=True)
class Played:
    """A step that was played: what was said meanwhile, and what is wrong ("" if nothing is)."""

    line: int
    text: str
    heard: list[Heard] = field(default_factory=list)
    problem: str = ""


@dataclass(slots=True)
class Result:
    """What came of a scenario, and why; `seconds` is how long it took."""

    script: Script
    outcome: Outcome
    reason: str = ""
    played: list[Played] = field(default_factory=list)
    seconds: float = 0.0
