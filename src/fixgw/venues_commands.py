"""`fixgw venues`: how the venues outside this gateway are, and whether one can be used."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from fixgw.engine.turn import Status
from fixgw.exits import EXIT_CONFIG, EXIT_REFUSED
from fixgw.link import LinkError, call
from fixgw.status_command import venue_line

venues = typer.Typer(help="The venues outside the gateway: how they are, and whether they can be used.")

Data = Annotated[Path, typer.Option("--data", help="The data directory of the running gateway.")]
ConfigFile = Annotated[Path, typer.Option("--config", help="The configuration file.")]


@venues.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    data: Data = Path("data"),
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Show each venue's connection, latency, backlog and unknown outcomes."""
    if context.invoked_subcommand is not None:
        return
    try:
        found = call(data, Status()).status.venues
    except LinkError as error:
        print(error, file=sys.stderr)  # noqa: T201
        raise typer.Exit(EXIT_REFUSED) from None
    if as_json:
        print(msgspec.json.encode(found).decode())  # noqa: T201
    elif not found:
        print("no OMS of this gateway is on a venue outside it")  # noqa: T201
    else:
        for venue in found:
            print(venue_line(venue))  # noqa: T201


@venues.command()
def check(name: str, config: ConfigFile = Path("config/gateway.toml")) -> None:
    """Try the credentials of a venue and read its open orders. Nothing is changed there."""
    from fixgw.config import ConfigError, load  # it takes a while to load, as the network libraries do
    from fixgw.edge.venues.check import check as tried
    from fixgw.secret_text import SecretError

    try:
        checked = tried(load(config), name)
    except ConfigError as error:
        print("\n".join(error.problems), file=sys.stderr)  # noqa: T201
        raise typer.Exit(EXIT_CONFIG) from None
    except SecretError as error:
        print(f"fixgw: {error}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(EXIT_CONFIG) from None
    except KeyError:
        print(f"fixgw: no OMS in {config} is on a venue {name}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(EXIT_REFUSED) from None
    if checked.why:
        print(f"venue {name}: {checked.why}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(EXIT_REFUSED)
    print(f"venue {name}: logged in; {len(checked.orders)} open orders")  # noqa: T201
    for order in checked.orders:
        print(f"  {order.venue_order_id}: {order.cum_qty} filled")  # noqa: T201
