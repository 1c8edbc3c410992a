"""The command `fixgw certify-client`: the venue is played, and a client's engine is checked step by step."""

import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fixgw.certify_commands import NOT_RUN, Html, Junit, err, out, write_reports
from fixgw.exits import EXIT_OK, EXIT_REFUSED

if TYPE_CHECKING:  # simplefix and the dictionary are loaded only by who certifies
    from fixgw.certify.client import Door
    from fixgw.certify.grammar import Script
    from fixgw.certify.profile import Profile
    from fixgw.certify.results import Result
    from fixgw.send.numbers import Numbers


def certify_client(
    listen: Annotated[str, typer.Option(metavar="[HOST:]PORT", help="Where the client connects to.")] = "",
    script: Annotated[
        list[str] | None, typer.Option(help="A script: its name, numbers as 101,2xx, a file, or all.")
    ] = None,
    comp_id: Annotated[
        str, typer.Option("--as", help="The venue's CompID; default: what the client's Logon asks for.")
    ] = "",
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each answer is waited for.")] = 90.0,
    without: Annotated[
        list[str] | None, typer.Option(help="What the client cannot do, as mass-cancel.")
    ] = None,
    state: Annotated[Path | None, typer.Option(help="Where the sequence numbers are kept.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Begin both sequences at 1.")] = False,
    show: Annotated[bool, typer.Option("--list", help="Say which scripts there are.")] = False,
    junit: Junit = None,
    html: Html = None,
) -> None:
    """Play the venue for a client's FIX engine, and check what it sends and how it reacts.

    The exit code is 0 if all scripts passed or do not apply, 1 if one failed, 2 if they could not be played.
    """
    from fixgw.certify import client
    from fixgw.certify.parser import ScriptError
    from fixgw.send.numbers import Numbers, NumbersError, default_directory, path_of

    if show:
        for one in client.scripts():
            out.print(f"{one.number:03} {one.name}: {one.title}", markup=False)
        return
    began_at, began = datetime.now(UTC), time.monotonic()
    try:
        if not script or not listen:
            raise ScriptError("say --listen PORT and --script NAME; --list says which scripts there are")
        unknown = set(without or []) - client.FEATURES
        if unknown:
            known = ", ".join(sorted(client.FEATURES))
            raise ScriptError(f"--without takes {known}, not {', '.join(sorted(unknown))}")
        host, port = _place(listen)
        chosen = client.find(script)
        with closing(client.Door(host, port, seconds)) as door:
            out.print(f"fixgw certify-client listens on {host}:{port}; a client has to log on", markup=False)
            name, venue = door.greeting()
            played = client.profile(comp_id or venue, name, seconds, without or [])
            kept = path_of(state or default_directory("certify-client"), venue, name, host, port)
            with Numbers(kept) as numbers:
                results = _play(played, door, chosen, numbers, is_reset=reset)
    except (ScriptError, NumbersError, OSError) as error:
        err.print(f"fixgw: {error}", markup=False)
        raise typer.Exit(NOT_RUN) from None
    except KeyboardInterrupt:
        err.print("fixgw: stopped")
        raise typer.Exit(NOT_RUN) from None
    write_reports(results, name, began_at, time.monotonic() - began, junit=junit, html=html)
    has_failed = any(result.outcome == "failed" for result in results)
    raise typer.Exit(EXIT_REFUSED if has_failed else EXIT_OK)


def _play(
    profile: "Profile", door: "Door", chosen: "list[Script]", numbers: "Numbers", *, is_reset: bool
) -> "list[Result]":
    """Play one script after the other, step by step on the terminal; the numbers go on."""
    from fixgw.certify.client import VENUE
    from fixgw.certify.player import Player
    from fixgw.certify.report import Terminal

    terminal = Terminal(out, is_step_by_step=True)
    player = Player(profile, door.connect, acceptors=frozenset({VENUE}), watcher=terminal)
    session = player.session(VENUE)
    if not is_reset:
        session.sent, session.expected = numbers.sent, numbers.expected
    began, results = time.monotonic(), []
    try:
        for script in chosen:
            out.print(f"\n{script.number:03} {script.title}\n    {script.rule}", markup=False)
            results.append(player.play(script))
            terminal.scenario(results[-1])
    finally:
        numbers.save(session.sent, session.expected)
        player.close()
    terminal.summary(results, time.monotonic() - began)
    return results


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65_536:
        raise typer.BadParameter(f"{text!r} is not a port, nor HOST:PORT", param_hint="--listen")
    return host.strip("[]") or "127.0.0.1", int(port)
