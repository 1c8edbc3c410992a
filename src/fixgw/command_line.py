"""What the commands share: where they print, whom they speak to, and who is speaking."""

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fixgw.exits import EXIT_REFUSED
from fixgw.link import LinkError, Said, call

WIDTH = None if sys.stdout.isatty() else 160  # a pipe or a file has no width of its own

out = Console(highlight=False, width=WIDTH)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Data = Annotated[Path, typer.Option("--data", help="The data directory of the running gateway.")]
DEFAULT_DATA = Path("data")


def plain(text: str) -> str:
    """`text` as a console of rich prints it, brackets and all."""
    return text.replace("[", r"\[")


def operator() -> str:
    """The name of the person who speaks, for the log."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a container may know its users by number only
        return f"uid {os.getuid()}"


def say(data: Path, said: Said) -> None:
    """Say something to the gateway on `data`; ends the program with EXIT_REFUSED when it refuses."""
    try:
        reply = call(data, said)
    except LinkError as error:
        err.print(plain(str(error)))
        raise typer.Exit(EXIT_REFUSED) from None
    if reply.errorcode:
        err.print(plain(reply.detail))
        raise typer.Exit(EXIT_REFUSED)
    out.print("done")
