"""Write the table of scenarios in docs/certification.md from the scripts that ship.

python scripts/generate_catalogue.py           write it
python scripts/generate_catalogue.py --check   exit 1 if it is out of date
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fixgw.certify import catalogue
from fixgw.certify.grammar import Script

OUTPUT = Path(__file__).resolve().parents[1] / "docs" / "certification.md"
BEGIN = "| number | scenario | rule | needs |\n|---|---|---|---|\n"


def table(scripts: Sequence[Script]) -> str:
    """The rows of the table; a short scenario has a star."""
    return BEGIN + "".join(
        f"| {script.number:03}{'*' if script.is_short else ''} | {cell(script.title)} | {cell(script.rule)} "
        f"| {cell(', '.join((*script.needs, *controls(script))))} |\n"
        for script in scripts
    )


def controls(script: Script) -> list[str]:
    """The controls that a script uses, as its needs name them."""
    return [f"control {use.key}" for use in sorted(script.uses) if use.table == "controls"]


def cell(text: str) -> str:
    """Text in a cell of a table."""
    return text.replace("|", r"\|")


def page(text: str) -> str:
    """The page with the table as it should be, which is the last thing on it."""
    before, heading, _ = text.partition("## The catalogue\n")
    scripts = catalogue.load()
    return (
        f"{before}{heading}\n"
        "Written by `scripts/generate_catalogue.py` from the scripts in `src/fixgw/certify/scenarios`: "
        f"{len(scripts)} scenarios.\nThose with a star are the short catalogue.\n\n{table(scripts)}"
    )


def main() -> int:
    """Write the table, or with --check compare it; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="exit 1 if the table is out of date")
    is_check = parser.parse_args().check
    text = OUTPUT.read_text(encoding="utf-8")
    wanted = page(text)
    if is_check:
        print(
            "it is up to date" if text == wanted else f"run {Path(__file__).name}: the table is out of date"
        )
        return int(text != wanted)
    OUTPUT.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
