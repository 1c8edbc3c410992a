"""The catalogue: the scripts that ship with fixgw, and a desk's own."""

import re
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from fixgw.certify.grammar import Script
from fixgw.certify.parser import ScriptError, parse

_WANTED = re.compile(r"[0-9]{3}|[0-9]{2}x|[0-9]xx")


def load(own: Path | None = None) -> list[Script]:
    """All scripts by number: those of fixgw, and those of a directory, which may not use the same numbers.

    Raises ScriptError.
    """
    shipped = resources.files("fixgw.certify") / "scenarios"
    found = [
        parse(file.read_text(encoding="utf-8"), f"scenarios/{file.name}")
        for file in shipped.iterdir()
        if file.name.endswith(".fix")
    ]
    if own is not None:
        found += read(own)
    by_number: dict[int, Script] = {}
    for script in found:
        other = by_number.setdefault(script.number, script)
        if other is not script:
            raise ScriptError(
                f"{script.path}: number {script.number} is that of {other.path}; choose another"
            )
    return [by_number[number] for number in sorted(by_number)]


def read(directory: Path) -> list[Script]:
    """The scripts of a directory. Raises ScriptError."""
    try:
        texts = {str(file): file.read_text(encoding="utf-8") for file in sorted(directory.glob("*.fix"))}
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptError(f"{directory}: {error}") from None
    if not texts:
        raise ScriptError(f"{directory}: there is no scenario, a file called NNN-short-name.fix")
    return [parse(text, path) for path, text in texts.items()]


def choose(scripts: Iterable[Script], only: str = "", *, is_short: bool = False) -> list[Script]:
    """Those that `only` names, as "101,2xx,31x", or all; of them only the short ones. Raises ScriptError."""
    found = [script for script in scripts if script.is_short or not is_short]
    if not only:
        return found
    patterns = []
    for word in only.split(","):
        if not _WANTED.fullmatch(word.strip()):
            raise ScriptError(f"--only takes numbers as 101, 2xx or 31x, separated by commas, not {word!r}")
        patterns.append(re.compile(word.strip().replace("x", "[0-9]")))
    chosen = [script for script in found if any(one.fullmatch(f"{script.number:03}") for one in patterns)]
    if not chosen:
        raise ScriptError(f"no scenario has a number as {only}")
    return chosen
