"""How `fixgw status` shows the status to a person."""

from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fixgw.core.selector import CancelSelector
from fixgw.engine.status import GatewayStatus, SessionStatus, VenueStatus

COLUMNS = ("session", "client", "since", "address", "certificate", "reset at", "epoch")
NUMBERS = ("next in", "next out", "undelivered", "in/s", "out/s", "in", "out", "backlog")


def show(status: GatewayStatus, out: Console) -> None:
    """Print the gateway in some lines, and a table of its sessions."""
    out.print(f"fixgw {status.version}, running since {_time(status.since)}", soft_wrap=True)
    for oms in status.omses:
        out.print(
            f"OMS {oms.oms_id} ({oms.name}): {oms.open_orders} open orders, "
            f"{oms.pending_cancels} cancels pending",
            soft_wrap=True,
        )
    for venue in status.venues:
        out.print(venue_line(venue), soft_wrap=True)
    for lock in status.locks:
        since = _time(lock.since)
        out.print(
            f"lock {lock.lock_id}: new {_scope(lock.scope)} are refused, by {lock.by} since {since}",
            soft_wrap=True,
        )
    for timer in status.timers:
        what = f"{_scope(timer.scope)} are canceled{' and locked' if timer.locks else ''}"
        out.print(
            f"{timer.kind} timer of {timer.session}: {what} at {timer.due_at:%Y-%m-%d %H:%M:%S.%f}Z",
            soft_wrap=True,
        )
    if status.guarded:
        out.print(f"cancel on disconnect: {', '.join(status.guarded)}", soft_wrap=True)
    journal = status.journal
    last = "never" if journal.last_commit_at is None else _time(journal.last_commit_at)
    out.print(
        f"journal: turn {journal.last_turn} at {last}, {journal.turns_not_folded} turns not in state.db yet",
        soft_wrap=True,
    )
    age = status.edge_report_age
    said = "has said nothing yet" if age is None else f"reported {age:.1f} seconds ago"
    out.print(f"edge: {said}", soft_wrap=True)
    table = Table(title="Sessions", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for column in NUMBERS:
        table.add_column(column, justify="right", no_wrap=True)
    for session in status.sessions:
        table.add_row(*map(Text, _row(session)))
    out.print(table)


def _scope(scope: CancelSelector) -> str:
    """Which orders a selector names, in words."""
    ids = scope.instrument_ids
    parts = [
        f"account {scope.account_id}" if scope.account_id is not None else "",
        f"user {scope.user_id}" if scope.user_id is not None else "",
        f"instrument {', '.join(map(str, sorted(ids)))}" if ids is not None else "",
        f"side {scope.side.name}" if scope.side is not None else "",
        f"session {scope.session}" if scope.session is not None else "",
    ]
    named = ", ".join(part for part in parts if part)
    return f"orders of OMS {scope.oms_id}" + (f" ({named})" if named else "")


def venue_line(venue: VenueStatus) -> str:
    """How a venue is, in a line."""
    state = "up" if venue.is_up else f"away: {venue.why}"
    return (
        f"venue {venue.name} of OMS {venue.oms_id}: {state}; last answer in {venue.seconds * 1000:.0f} ms, "
        f"{venue.waiting} waiting for it, {venue.unknown} outcomes unknown, "
        f"{venue.open_orders} open orders, {venue.pending_cancels} cancels pending"
    )


def _row(session: SessionStatus) -> list[str]:
    state = "logged on" if session.is_logged_on else "away"
    found = session.connection
    reset_at = "never" if session.reset_at is None else f"{session.reset_at:%H:%M:%S}"
    numbers = map(str, (session.epoch, session.next_in, session.next_out, session.undelivered))
    row = [session.name, f"{state}, disabled" if session.is_disabled else state]
    if found is None:
        return [*row, "", "", "", reset_at, *numbers, "", "", "", "", ""]
    counts = (
        found.messages_in_per_second,
        found.messages_out_per_second,
        found.messages_in,
        found.messages_out,
        found.backlog,
    )
    return [*row, _time(found.since), found.address, found.certificate, reset_at, *numbers, *map(str, counts)]


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"
