"""The commands `fixgw journal ...`: they parse and print; the work is done in `fixgw.journal`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Error as SqliteError
from typing import Annotated

import typer
from msgspec import MsgspecError
from rich.console import Console

from fixgw.exits import EXIT_JOURNAL, EXIT_OK, EXIT_REFUSED, EXIT_UNAVAILABLE
from fixgw.journal.backup import backup as copy
from fixgw.journal.compact import KEEP_DAYS_MIN, Compacted
from fixgw.journal.compact import compact as shorten
from fixgw.journal.contract import JournalError
from fixgw.journal.reading import JOURNAL_NAME, Reader
from fixgw.journal.show import as_json, as_text
from fixgw.journal.trail import Wanted, remembered, trail
from fixgw.journal.verify import verify as check

KEEP_DAYS = 30  # as long as somebody usually asks what happened to an order

journal = typer.Typer(no_args_is_help=True, help="Look after the journal: check, read, shorten, copy it.")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Data = Annotated[Path, typer.Option("--data", help="The data directory of the gateway.")]
DEFAULT_DATA = Path("data")


@contextmanager
def _journal_errors() -> Iterator[None]:
    """End with the exit code of a journal that does not work, as `fixgw serve` does."""
    try:
        yield
    except (JournalError, SqliteError, MsgspecError) as error:
        err.print(f"fixgw: {error}", markup=False)
        raise typer.Exit(EXIT_JOURNAL) from None


@journal.command()
def verify(data: Data = DEFAULT_DATA) -> None:
    """Check that both files are intact and add up. Changes nothing; a gateway may run on them."""
    problems = 0
    with _journal_errors():
        for finding in check(data):
            problems += finding.is_problem
            mark, style = ("problem: ", "red") if finding.is_problem else ("ok: ", "green")
            out.print(mark, style=style, end="")
            out.print(finding.text, markup=False)
    out.print(f"{problems or 'no'} {'problem' if problems == 1 else 'problems'}")
    raise typer.Exit(EXIT_REFUSED if problems else EXIT_OK)


@journal.command()
def show(
    order: Annotated[int | None, typer.Option(min=1, help="Only what is about this OrderID(37).")] = None,
    session: Annotated[str | None, typer.Option(help="Only what this CompID asked and was told.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Only from this time on, ISO 8601; UTC unless said.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the newest so many lines.")] = None,
    as_objects: Annotated[bool, typer.Option("--json", help="JSON, an object in each line.")] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Show the audit trail: who asked what, what was decided by which rule, and how each order ended."""
    wanted = Wanted(order, session, None if since is None else _time(since), limit)
    write = as_json if as_objects else as_text
    found = False
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    with _journal_errors(), Reader(data) as reader:
        for line in trail(reader, wanted):
            found = True
            sys.stdout.write(write(line) + "\n")
        if not found:
            _print_nothing(reader, order)


def _print_nothing(reader: Reader, order: int | None) -> None:
    """Say that nothing was found; and what is known of an order whose turns are forgotten."""
    err.print("nothing in the journal fits")
    if (first := reader.span()[0]) == 1:
        return
    err.print(f"what was before turn {first} was forgotten by a compaction")
    known = None if order is None else remembered(reader, order)
    if known is not None:
        entered = f"entered at {known.entered_at.isoformat()} by user {known.entered_by or known.user_id}"
        err.print(f"order {order}, {entered}, is {known.status.name}", markup=False)


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        example = "2026-03-05T12:00:00Z"
        raise typer.BadParameter(f"{text} is not a time like {example}", param_hint="--since") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


@journal.command()
def compact(
    keep_days: Annotated[
        int, typer.Option(min=KEEP_DAYS_MIN, max=36_500, help="Forget what is older than so many days.")
    ] = KEEP_DAYS,
    data: Data = DEFAULT_DATA,
) -> None:
    """Shorten the journal of a stopped gateway: forget what is old and what nothing needs any more."""
    from fixgw.server import UnavailableError, lock  # QuickFIX is loaded only where it is needed

    with _journal_errors():
        if not (data / JOURNAL_NAME).is_file():
            raise JournalError(f"there is no journal {data / JOURNAL_NAME}")
        try:
            locked = lock(data)
        except UnavailableError as error:
            err.print(f"fixgw: {error}", markup=False)
            raise typer.Exit(EXIT_UNAVAILABLE) from None
        with locked:
            locked.truncate(0)  # the id in it is to be that of an engine
            _print_compacted(shorten(data, keep_days=keep_days, now=datetime.now(UTC)))


def _print_compacted(done: Compacted) -> None:
    out.print(
        f"forgot {done.turns:,} turns, {done.orders:,} closed orders and {done.used_ids:,} used ids; "
        f"the journal begins with turn {done.first_turn:,}"
    )
    if done.kept_reports:
        out.print(f"kept {done.kept_reports:,} older reports that are not delivered")
    for name, before in done.bytes_before.items():
        out.print(f"{name}: {before:,} bytes before, {done.bytes_after[name]:,} after")


@journal.command()
def backup(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="The directory that gets the copy.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Copy the journal, also while a gateway runs on it, so that a gateway can start from the copy."""
    with _journal_errors():
        for name, size in copy(data, target).items():
            out.print(f"{target / name}: {size:,} bytes", markup=False)
