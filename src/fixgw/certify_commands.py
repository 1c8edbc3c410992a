"""The command `fixgw certify`: it reads, connects and prints; the work is done in `fixgw.certify`."""

import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from fixgw.exits import EXIT_OK, EXIT_REFUSED

if TYPE_CHECKING:  # simplefix and the dictionary are loaded only by who certifies
    from fixgw.certify.cast import Connect
    from fixgw.certify.profile import Profile
    from fixgw.certify.results import Result

NOT_RUN = 2  # as for wrong usage: nothing was certified
CONNECT_SECONDS = 10.0

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Junit = Annotated[Path | None, typer.Option("--junit", help="Write the report as JUnit XML, too.")]
Html = Annotated[
    Path | None, typer.Option("--html", help="Write the report as an HTML file with each conversation, too.")
]


def certify(
    address: Annotated[str, typer.Argument(metavar="HOST:PORT", help="Where the acceptor listens.")],
    profile: Annotated[Path, typer.Option(help="Who logs on, what is traded, what can be controlled.")],
    only: Annotated[str, typer.Option(help="Only these scenarios: numbers as 101,2xx,31x.")] = "",
    short: Annotated[bool, typer.Option("--short", help="Only the short catalogue.")] = False,
    scenarios: Annotated[
        Path | None, typer.Option(help="A directory with scenarios of your own, which are added.")
    ] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE: overrides [values] of the profile.")
    ] = None,
    junit: Junit = None,
    html: Html = None,
) -> None:
    """Play the catalogue of scenarios against a FIX 4.4 acceptor, and say which of them it passes.

    The exit code is 0 if all passed or do not apply, 1 if one failed, 2 if they could not be played.
    """
    from fixgw.certify import catalogue
    from fixgw.certify.parser import ScriptError
    from fixgw.certify.player import Player
    from fixgw.certify.profile import ProfileError, load
    from fixgw.certify.report import Terminal
    from fixgw.certify.results import Outcome

    try:
        found = load(profile).with_values(values or [])
        chosen = catalogue.choose(catalogue.load(scenarios), only, is_short=short)
        connect = connector(found, *_address(address))
        connect(next(iter(found.roles))).close()
        terminal = Terminal(out)
        terminal.opening(found.name, address, len(chosen))
        player = Player(found, connect)
        began_at, began = datetime.now(UTC), time.monotonic()
        results = []
        try:
            for script in chosen:
                results.append(player.play(script))
                terminal.scenario(results[-1])
        finally:
            player.close()
    except (ProfileError, ScriptError) as error:
        err.print(f"fixgw: {error}", markup=False)
        raise typer.Exit(NOT_RUN) from None
    except OSError as error:
        err.print(f"fixgw: cannot connect to {address}: {error}", markup=False)
        raise typer.Exit(NOT_RUN) from None
    seconds = time.monotonic() - began
    terminal.summary(results, seconds)
    write_reports(results, found.name, began_at, seconds, junit=junit, html=html)
    has_failed = any(result.outcome is Outcome.FAILED for result in results)
    raise typer.Exit(EXIT_REFUSED if has_failed else EXIT_OK)


def write_reports(
    results: "Sequence[Result]",
    name: str,
    began_at: datetime,
    seconds: float,
    *,
    junit: Path | None,
    html: Path | None,
) -> None:
    """Write the files that are wanted; ends the command if one cannot be written."""
    from fixgw.certify.html import html as as_html
    from fixgw.certify.junit import junit as as_junit

    try:
        if junit is not None:
            junit.write_text(as_junit(results, name, seconds), encoding="utf-8")
        if html is not None:
            html.write_text(as_html(results, name, began_at, seconds), encoding="utf-8")
    except OSError as error:
        err.print(f"fixgw: the report cannot be written: {error}", markup=False)
        raise typer.Exit(NOT_RUN) from None


def connector(profile: "Profile", host: str, port: int) -> "Connect":
    """Makes connections to an acceptor, with TLS if the profile says so."""

    def connect(role: str) -> socket.socket:
        line = socket.create_connection((host, port), timeout=CONNECT_SECONDS)
        context = profile.tls(role)
        if context is None:
            return line
        return context.wrap_socket(line, server_hostname=profile.connection.server_name or host)

    return connect


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise typer.BadParameter(f"{text!r} is not HOST:PORT, as 127.0.0.1:9878", param_hint="HOST:PORT")
    return host.strip("[]"), int(port)
