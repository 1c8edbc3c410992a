"""The report on the terminal: a line for each scenario as it ends, what was said where one failed, a sum."""

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from fixgw.certify.grammar import Ask, Step
from fixgw.certify.player import Watcher
from fixgw.certify.results import Outcome, Played, Result
from fixgw.certify.wire import Heard
from fixgw.fix import decode, dictionary

STYLES = {Outcome.PASSED: "green", Outcome.FAILED: "red", Outcome.NOT_APPLICABLE: "yellow"}
WORD_CHARS = max(len(outcome) for outcome in Outcome)
ROLE_CHARS = 10


class Terminal(Watcher):
    """Prints on `out`; with `is_step_by_step` each step as it begins and ends, too."""

    def __init__(self, out: Console, *, is_step_by_step: bool = False) -> None:
        self._out = out
        self._is_step_by_step = is_step_by_step

    def begins(self, step: Step) -> None:
        """Say what a person is asked to do, and what is played."""
        if self._is_step_by_step:
            is_for_person = isinstance(step, Ask)
            sign = ">>> " if is_for_person else ""
            self._print(f"{step.line:4} {sign}{step.text}", "bold" if is_for_person else "cyan")

    def ended(self, played: Played) -> None:
        """Say what came, and what is wrong with it."""
        if self._is_step_by_step:
            self._conversation(played)

    def opening(self, name: str, address: str, count: int) -> None:
        """Say what is certified."""
        self._print(f"{name}, {address}: {count} scenarios\n")

    def scenario(self, result: Result) -> None:
        """Say what came of a scenario; of one that failed, the step and its conversation."""
        script = result.script
        line = Text(f"{script.number:03} ")
        line.append(f"{result.outcome:{WORD_CHARS}}", STYLES[result.outcome])
        line.append(f" {result.seconds:5.1f} s  {script.title}")
        self._out.print(line)
        if result.outcome is Outcome.NOT_APPLICABLE:
            self._print(f"    {result.reason}", "yellow")
        if result.outcome is Outcome.FAILED:
            self._print(f"    {script.rule}")
            for played in result.played:
                if played.problem and not self._is_step_by_step:
                    place = f"{script.path}:{played.line}" if played.line else script.path
                    self._print(f"    {place} {played.text.splitlines()[0]}")
                    self._conversation(played)

    def summary(self, results: Sequence[Result], seconds: float) -> None:
        """Say how many passed, and which failed."""
        counts = Counter(result.outcome for result in results)
        line = Text(f"\n{len(results)} scenarios in {seconds:.0f} s: ")
        line.append(f"{counts[Outcome.PASSED]} passed", "green")
        line.append(", ")
        line.append(f"{counts[Outcome.FAILED]} failed", "red" if counts[Outcome.FAILED] else "")
        line.append(f", {counts[Outcome.NOT_APPLICABLE]} not applicable")
        self._out.print(line)
        failed = [f"{one.script.number:03}" for one in results if one.outcome is Outcome.FAILED]
        if failed:
            self._print(f"failed: {', '.join(failed)}", "red")

    def _conversation(self, played: Played) -> None:
        for line in conversation(played.heard):
            self._print(f"        {line}", "dim")
        if played.problem:
            self._print(f"    {decode.printable(played.problem)}", "red")

    def _print(self, text: str, style: str = "") -> None:
        self._out.print(Text(text, style))


def conversation(heard: Sequence[Heard]) -> Iterator[str]:
    """What was said, decoded, a line for each message; no password is shown."""
    names = dictionary.load()
    for one in heard:
        sign = ">" if one.is_sent else "<"
        said = decode.one_line(decode.decode(one.raw, names)) if one.raw else f"({one.event})"
        yield f"{one.at:%H:%M:%S.%f}"[:-3] + f" {one.role:{ROLE_CHARS}} {sign if one.raw else ' '} {said}"
