"""`fixgw send`: say something in FIX to a gateway, or to any acceptor, and see the answers."""

from pathlib import Path
from typing import Annotated

import typer


def send(
    messages: Annotated[
        list[str] | None, typer.Argument(help='As "35=q|530=7"; several are sent in order.')
    ] = None,
    comp_id: Annotated[str, typer.Option("--as", help="SenderCompID(49): who says it.")] = "",
    to: Annotated[str, typer.Option(help="HOST:PORT of the acceptor.")] = "127.0.0.1:9878",
    target: Annotated[str, typer.Option(help="TargetCompID(56).")] = "FIXGW",
    username: Annotated[str, typer.Option(help="Username(553); default: as --as.")] = "",
    password: Annotated[
        str,
        typer.Option(
            "--password-from",
            help="env:NAME, file:PATH, or none. Default: $FIXGW_PASSWORD; else it is asked for.",
        ),
    ] = "",
    tls: Annotated[
        bool, typer.Option("--tls", help="TLS; the system's CAs unless --ca says others.")
    ] = False,
    ca: Annotated[
        Path | None, typer.Option(help="PEM: the CAs that the acceptor's certificate is from.")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="PEM: the client's certificate.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM: its key.")] = None,
    file: Annotated[Path | None, typer.Option(help="Messages, one on a line; - is stdin.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Stay and show what comes, until SIGINT.")] = False,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long an answer is waited for.")] = 10.0,
    as_is: Annotated[bool, typer.Option("--as-is", help="Add and check nothing but the header.")] = False,
    reset: Annotated[
        bool,
        typer.Option(
            "--reset", help="ResetSeqNumFlag(141)=Y. What the session was not told yet may be lost."
        ),
    ] = False,
    fields: Annotated[bool, typer.Option("--fields", help="Each field on a line of its own.")] = False,
    state: Annotated[Path | None, typer.Option(help="Where the sequence numbers are kept.")] = None,
) -> None:
    """Send FIX messages and show the answers: exit code 0 accepted, 1 refused, 2 could not.

    What a message leaves out and can be known is put in. The session goes on from call to call; it must not
    be one that a client has.
    """
    from fixgw.send.line import Tls  # what speaks FIX is loaded only by who does
    from fixgw.send.run import Call, run

    call = Call(
        messages=tuple(messages or ()),
        file=file,
        comp_id=comp_id,
        target=target,
        address=to,
        username=username or comp_id,
        password=password,
        tls=Tls(ca, certificate, key) if tls or ca or certificate else None,
        seconds=seconds,
        state=state,
        is_watching=watch,
        is_as_typed=as_is,
        is_reset=reset,
        is_long=fields,
    )
    raise typer.Exit(run(call))
