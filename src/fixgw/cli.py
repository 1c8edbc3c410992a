"""The command line."""

import sys
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from fixgw import __version__, control_commands
from fixgw.certify_client_command import certify_client
from fixgw.certify_commands import certify
from fixgw.command_line import DEFAULT_DATA, Data, err, operator, out, plain, say
from fixgw.core.requests import FillOrder, TriggerOrder
from fixgw.edge import wireline
from fixgw.engine.sandbox import FindVenue, HoldCancels, LoseVenue, RefuseCancel, ReleaseCancels
from fixgw.engine.turn import (
    DisableSession,
    EnableSession,
    LogoutSession,
    ResetSession,
    Status,
)
from fixgw.exits import EXIT_CONFIG, EXIT_REFUSED
from fixgw.fix import decode as decoding
from fixgw.fix import dictionary
from fixgw.journal_commands import journal
from fixgw.link import LinkError, call
from fixgw.passwords import hash_password
from fixgw.send_command import send
from fixgw.status_command import show
from fixgw.venues_commands import venues

if TYPE_CHECKING:
    from fixgw.config import Config

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="A FIX 4.4 gateway that translates cancels."
)
sandbox = typer.Typer(no_args_is_help=True, help="Tell the sandbox venue of a running gateway what to do.")
session = typer.Typer(no_args_is_help=True, help="Look after the FIX sessions of a running gateway.")
app.add_typer(sandbox, name="sandbox")
app.add_typer(session, name="session")
app.add_typer(journal, name="journal")
app.add_typer(venues, name="venues")
app.command()(send)
app.command()(certify)
app.command()(certify_client)

ConfigFile = Annotated[Path, typer.Option("--config", help="The configuration file.")]
DataDir = Annotated[Path | None, typer.Option("--data", help="The data directory; overrides the file.")]
Port = Annotated[int | None, typer.Option(min=1, max=65_535, help="Overrides the file.")]
DEFAULT_CONFIG = Path("config/gateway.toml")


def _load(path: Path, *, look_outside: bool = True) -> "Config":
    from fixgw.config import ConfigError, load  # pydantic takes a while to load

    try:
        return load(path, look_outside=look_outside)
    except ConfigError as error:
        for problem in error.problems:
            err.print(f"[red]error[/red] {plain(problem)}")
        count = len(error.problems)
        err.print(f"{plain(str(path))}: {count} {'error' if count == 1 else 'errors'}")
        raise typer.Exit(EXIT_CONFIG) from None


@app.command()
def serve(
    config: ConfigFile = DEFAULT_CONFIG,
    data: DataDir = None,
    fix_port: Port = None,
    api_port: Port = None,
    no_api: Annotated[bool, typer.Option("--no-api", help="Leave the HTTP and WebSocket API out.")] = False,
) -> None:
    """Run the gateway until SIGINT or SIGTERM: engine, edge and API, and the supervisor that watches them."""
    from fixgw import supervisor  # no other command needs it

    settings = _load(config)
    raise typer.Exit(
        supervisor.supervise(
            settings,
            data=settings.data if data is None else data.resolve(),
            fix_port=settings.fix.port if fix_port is None else fix_port,
            api_port=0 if api_port is None else api_port,
            has_api=settings.api.enabled and not no_api,
        )
    )


@app.command("check-config")
def check_config(config: Annotated[Path, typer.Argument()] = DEFAULT_CONFIG) -> None:
    """Say what a configuration means, or every error in it."""
    from fixgw.explain import explain  # it knows the whole configuration

    explain(_load(config), out)


@app.command()
def passwd() -> None:
    """Make a password hash for the configuration. The password is asked for, or read from a pipe."""
    if sys.stdin.isatty():
        password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\n")
    if not password:
        err.print("an empty password is no password")
        raise typer.Exit(EXIT_REFUSED)
    print(hash_password(password))  # noqa: T201


@app.command()
def certificates(
    directory: Annotated[Path, typer.Option(help="Where the files go; made if it is not there.")],
    host: Annotated[
        list[str] | None, typer.Option(help="A name or address that clients connect to, besides loopback.")
    ] = None,
    client: Annotated[
        list[str] | None, typer.Option(help="A client that gets a certificate, by its CompID.")
    ] = None,
) -> None:
    """Make certificates for tests: a CA's, the gateway's, and clients'. Writes over nothing."""
    from fixgw import certificates as maker  # cryptography takes a while to load

    clients = client or []
    try:
        made = maker.make(directory, host or [], clients, datetime.now(UTC))
    except (maker.CertificatesError, OSError) as error:
        err.print(plain(str(error)))
        raise typer.Exit(EXIT_REFUSED) from None
    for path, purpose in made:
        print(f"{path}: {purpose}")  # noqa: T201
    print(f"\nFor the configuration:\n\n{maker.configuration(directory, clients)}")  # noqa: T201


@app.command()
def decode(
    messages: Annotated[
        list[str] | None, typer.Argument(help="Raw messages (SOH, | or ^A between fields); else stdin.")
    ] = None,
    short: Annotated[bool, typer.Option("--short", help="One line for each message.")] = False,
) -> None:
    """Show raw FIX messages, or log lines that hold them, with field and enum names. No password is shown.

    Lines of the wire log keep their time and direction.
    """
    names = dictionary.load()
    for line in messages if messages else sys.stdin:
        wire = wireline.read(line)
        raw = decoding.find_message(line) if wire is None else wire.message.decode("utf-8", "surrogateescape")
        if raw is None:
            print(decoding.redact(line.rstrip("\n")))  # noqa: T201
            continue
        decoded = decoding.decode(raw, names)
        begin = "" if wire is None else f"{wire.at} {wire.direction:3} "
        print(begin + (decoding.one_line(decoded) if short else decoding.table(decoded)))  # noqa: T201


@app.command()
def version() -> None:
    """Say which version this is."""
    print(__version__)  # noqa: T201


OrderId = Annotated[int, typer.Argument(metavar="ORDER_ID", min=1, help="OrderID(37).")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The client's CompID.")]


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Say how a running gateway is: orders, journal, sessions and their clients."""
    try:
        found = call(data, Status()).status
    except LinkError as error:
        err.print(plain(str(error)))
        raise typer.Exit(EXIT_REFUSED) from None
    if as_json:
        print(msgspec.json.encode(found).decode())  # noqa: T201
    else:
        show(found, out)


app.command()(control_commands.kill)
app.command()(control_commands.unlock)


@sandbox.command()
def fill(
    order_id: OrderId,
    quantity: Annotated[str, typer.Argument(help="What is filled.")],
    price: Annotated[str | None, typer.Option(help="Default: the order's own price.")] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Fill an order, in part or to its end."""
    last_px = None if price is None else _positive(price, "--price")
    say(data, FillOrder(order_id, _positive(quantity, "QUANTITY"), last_px))


@sandbox.command()
def hold(data: Data = DEFAULT_DATA) -> None:
    """From now on leave cancels pending."""
    say(data, HoldCancels())


@sandbox.command()
def release(data: Data = DEFAULT_DATA) -> None:
    """Answer all pending cancels, and from now on each one at once."""
    say(data, ReleaseCancels())


@sandbox.command()
def refuse(order_id: OrderId, reason: Annotated[str, typer.Argument()], data: Data = DEFAULT_DATA) -> None:
    """Refuse the next cancel of an order, with a reason."""
    say(data, RefuseCancel(order_id, reason))


@sandbox.command()
def lose(data: Data = DEFAULT_DATA) -> None:
    """From now on be out of reach: what would be entered or canceled is refused (102)."""
    say(data, LoseVenue())


@sandbox.command()
def find(data: Data = DEFAULT_DATA) -> None:
    """Be within reach again."""
    say(data, FindVenue())


@sandbox.command()
def trigger(order_id: OrderId, data: Data = DEFAULT_DATA) -> None:
    """Trigger a stop order."""
    say(data, TriggerOrder(order_id))


@session.command()
def reset(
    name: Name,
    data: Data = DEFAULT_DATA,
) -> None:
    """Log a client out and have its sequence numbers begin anew at 1; the client must do the same."""
    say(data, ResetSession(name))


@session.command()
def disable(name: Name, data: Data = DEFAULT_DATA) -> None:
    """Log a client out and take no Logon of it, also after a restart, until the session is enabled."""
    say(data, DisableSession(name, operator()))


@session.command()
def enable(name: Name, data: Data = DEFAULT_DATA) -> None:
    """Take Logons of a session again."""
    say(data, EnableSession(name, operator()))


@session.command()
def logout(name: Name, data: Data = DEFAULT_DATA) -> None:
    """Log a client out; it may come back at once."""
    say(data, LogoutSession(name, operator()))


def _positive(text: str, name: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(0)
    if not number.is_finite() or number <= 0:
        raise typer.BadParameter(f"{text} is not a positive number", param_hint=name)
    return number


def main() -> None:
    """Run the command line."""
    app()
