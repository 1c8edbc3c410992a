"""The command line."""

import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fixgw import __version__, supervised, supervisor
from fixgw.config import Config, ConfigError, load
from fixgw.core.requests import FillOrder, TriggerOrder
from fixgw.engine.sandbox import HoldCancels, RefuseCancel, ReleaseCancels
from fixgw.engine.turn import ResetSession
from fixgw.exits import EXIT_CONFIG, EXIT_REFUSED
from fixgw.explain import explain
from fixgw.fix import decode as decoding
from fixgw.fix import dictionary
from fixgw.journal_commands import journal
from fixgw.link import LinkError, Said, call
from fixgw.passwords import hash_password

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="A FIX 4.4 gateway that translates cancels."
)
sandbox = typer.Typer(no_args_is_help=True, help="Tell the sandbox venue of a running gateway what to do.")
session = typer.Typer(no_args_is_help=True, help="Look after the FIX sessions of a running gateway.")
app.add_typer(sandbox, name="sandbox")
app.add_typer(session, name="session")
app.add_typer(journal, name="journal")

WIDTH = None if sys.stdout.isatty() else 160  # a pipe or a file has no width of its own

out = Console(highlight=False, width=WIDTH)
err = Console(stderr=True, highlight=False, soft_wrap=True)

ConfigFile = Annotated[Path, typer.Option("--config", help="The configuration file.")]
DataDir = Annotated[Path | None, typer.Option("--data", help="The data directory; overrides the file.")]
Port = Annotated[int | None, typer.Option(min=1, max=65_535, help="Overrides the file.")]
DEFAULT_CONFIG = Path("config/gateway.toml")


def _load(path: Path, *, find_examples: bool = True) -> Config:
    try:
        return load(path, find_examples=find_examples)
    except ConfigError as error:
        for problem in error.problems:
            err.print(f"[red]error[/red] {_plain(problem)}")
        count = len(error.problems)
        err.print(f"{_plain(str(path))}: {count} {'error' if count == 1 else 'errors'}")
        raise typer.Exit(EXIT_CONFIG) from None


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


@app.command()
def serve(
    config: ConfigFile = DEFAULT_CONFIG, data: DataDir = None, fix_port: Port = None, api_port: Port = None
) -> None:
    """Run the gateway until SIGINT or SIGTERM: the engine, and the supervisor that watches it."""
    settings = _load(config)
    given = {"--config": config, "--data": data, "--fix-port": fix_port, "--api-port": api_port}
    options = [word for flag, value in given.items() if value is not None for word in (flag, str(value))]
    raise typer.Exit(
        supervisor.supervise(
            settings,
            [*supervisor.ENGINE, *options],
            fix_port=settings.fix.port if fix_port is None else fix_port,
        )
    )


@app.command(hidden=True)
def engine(
    config: ConfigFile = DEFAULT_CONFIG, data: DataDir = None, fix_port: Port = None, api_port: Port = None
) -> None:
    """Run the engine alone: what `serve` starts, and nobody else can."""
    try:
        told = supervised.begin()
    except supervised.SupervisionError as error:
        err.print(_plain(str(error)))
        raise typer.Exit(EXIT_REFUSED) from None
    from fixgw.server import serve as run  # QuickFIX is loaded only where it is needed

    settings = _load(config, find_examples=False)
    raise typer.Exit(
        run(
            settings,
            data=settings.data if data is None else data.resolve(),
            fix_port=settings.fix.port if fix_port is None else fix_port,
            api_port=settings.api.port if api_port is None else api_port,
            watch_secret=told.secret,
            is_orphan=supervised.is_orphan,
        )
    )


@app.command("check-config")
def check_config(config: Annotated[Path, typer.Argument()] = DEFAULT_CONFIG) -> None:
    """Say what a configuration means, or every error in it."""
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
def decode(
    messages: Annotated[
        list[str] | None, typer.Argument(help="Raw messages (SOH, | or ^A between fields); else stdin.")
    ] = None,
    short: Annotated[bool, typer.Option("--short", help="One line for each message.")] = False,
) -> None:
    """Show raw FIX messages, or log lines that hold them, with field and enum names. No password is shown."""
    names = dictionary.load()
    for line in messages if messages else sys.stdin:
        raw = decoding.find_message(line)
        if raw is None:
            print(decoding.redact(line.rstrip("\n")))  # noqa: T201
            continue
        decoded = decoding.decode(raw, names)
        print(decoding.one_line(decoded) if short else decoding.table(decoded))  # noqa: T201


@app.command()
def version() -> None:
    """Say which version this is."""
    print(__version__)  # noqa: T201


Data = Annotated[Path, typer.Option("--data", help="The data directory of the running gateway.")]
OrderId = Annotated[int, typer.Argument(metavar="ORDER_ID", min=1, help="OrderID(37).")]
DEFAULT_DATA = Path("data")


@sandbox.command()
def fill(
    order_id: OrderId,
    quantity: Annotated[str, typer.Argument(help="What is filled.")],
    price: Annotated[str | None, typer.Option(help="Default: the order's own price.")] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Fill an order, in part or to its end."""
    last_px = None if price is None else _positive(price, "--price")
    _say(data, FillOrder(order_id, _positive(quantity, "QUANTITY"), last_px))


@sandbox.command()
def hold(data: Data = DEFAULT_DATA) -> None:
    """From now on leave cancels pending."""
    _say(data, HoldCancels())


@sandbox.command()
def release(data: Data = DEFAULT_DATA) -> None:
    """Answer all pending cancels, and from now on each one at once."""
    _say(data, ReleaseCancels())


@sandbox.command()
def refuse(order_id: OrderId, reason: Annotated[str, typer.Argument()], data: Data = DEFAULT_DATA) -> None:
    """Refuse the next cancel of an order, with a reason."""
    _say(data, RefuseCancel(order_id, reason))


@sandbox.command()
def trigger(order_id: OrderId, data: Data = DEFAULT_DATA) -> None:
    """Trigger a stop order."""
    _say(data, TriggerOrder(order_id))


@session.command()
def reset(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The client's CompID.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Log a client out and have its sequence numbers begin anew at 1; the client must do the same."""
    _say(data, ResetSession(name))


def _positive(text: str, name: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(0)
    if not number.is_finite() or number <= 0:
        raise typer.BadParameter(f"{text} is not a positive number", param_hint=name)
    return number


def _say(data: Path, said: Said) -> None:
    try:
        reply = call(data, said)
    except LinkError as error:
        err.print(_plain(str(error)))
        raise typer.Exit(EXIT_REFUSED) from None
    if reply.errorcode:
        err.print(_plain(reply.detail))
        raise typer.Exit(EXIT_REFUSED)
    out.print("done")


def main() -> None:
    """Run the command line."""
    app()
