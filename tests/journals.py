"""A journal for tests in which something of everything has happened, over sixty days."""

import shutil
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from fixgw.core.errors import Refusal
from fixgw.core.reports import Report
from fixgw.core.requests import ClientRequest, FillOrder, VenueRequest
from fixgw.engine.sandbox import HoldCancels, RefuseCancel, ReleaseCancels, SandboxCommand
from fixgw.engine.turn import Arrival, Command, Limits
from fixgw.journal.contract import Assigned, Batch, Counters, Loaded, Queued, SessionNumbers
from fixgw.journal.sqlite import SqliteJournal
from tests.test_desk import NOW, Bench
from tests.test_journal import report
from tests.wire import Pairs, cancel, mass, order

OLD = NOW - timedelta(days=60)
GTC = (59, "1")
AWAY = "AWAY"  # a session that is not configured: what is queued for it has no MsgSeqNum

# Orders by OrderID(37), and mass cancels by theirs. Of the old ones OPEN stays as it is, CANCELED and EXPIRED
# are that, PARTLY took on CANCELED_TOO and REFUSED, whose venue said no, and HELD took on REFUSED again and
# waits for its end. Of the new ones FILLED is that, and the cancel of PENDING waits for its end.
OPEN, CANCELED, EXPIRED, CANCELED_TOO, REFUSED, PARTLY, HELD, FILLED, PENDING = 1, 2, 3, 4, 5, 6, 7, 8, 9


class Years(Bench):
    """A bench whose venue and sandbox can be told something at any time."""

    def tell(self, said: VenueRequest | SandboxCommand, now: datetime) -> None:
        """Tell it in a turn of its own."""
        answers: list[Refusal | None] = []
        self.desk.turn(self.door, [], [Command(said, answers.append)], now)
        assert answers == [None]

    def repeat(self, msg_type: str, fields: Pairs, name: str, now: datetime) -> list[Report]:
        """Ask with PossResend(97)=Y; what is told in that turn."""
        raw = self.clients[name].encode(msg_type, fields, header=((97, "Y"),)).decode("latin-1")
        request: ClientRequest = self.inbound.read(raw, self.directory.sessions[name])
        epoch = self.desk.outbox.of(name).epoch
        self.desk.turn(self.door, [Arrival(name, epoch, request.ref_seq_num, msg_type, request)], [], now)
        return self.door.take()


def live(directory: Path) -> Path:
    """Make such a journal in `directory`; the directory with its two files."""
    bench = Years(directory, Limits())
    bench.restart(OLD)
    _old_days(bench)
    _new_days(bench)
    bench.journal.close()
    return directory


def _old_days(bench: Years) -> None:
    bench.ask("D", order("open", GTC), now=OLD)
    bench.ask("D", order("canceled", GTC), now=OLD)
    bench.ask("D", order("day"), now=OLD)
    bench.ask("F", cancel("c-canceled", "canceled"), now=OLD + timedelta(seconds=1))
    bench.ask("F", cancel("c-late", "canceled"), now=OLD + timedelta(seconds=2))
    at = OLD + timedelta(seconds=3)
    for name in ("canceled-too", "refused"):
        bench.ask("D", order(name, GTC), "TRADER39", at)
    bench.tell(HoldCancels(), at)
    bench.tell(RefuseCancel(REFUSED, "the venue says no"), at)
    bench.ask("q", mass("m-partly"), "TRADER39", at)
    bench.ask("F", cancel("c-again", "refused"), "TRADER39", at)
    bench.tell(ReleaseCancels(), at)
    bench.tell(HoldCancels(), at)
    bench.ask("q", mass("m-held"), "TRADER39", at)
    old = [report(number) for number in (101, 102, 103)]
    bench.journal.commit(
        Batch(
            queued=[Queued(AWAY, 0, old)],
            assigned=[Assigned(AWAY, 1, 1, 0, 1, at)],
            sessions=[SessionNumbers(AWAY, next_out=2, queued=3, sent=1)],
            counters=Counters(HELD + 1, 200),
            at=at,
        )
    )
    bench.restart(at)


def _new_days(bench: Years) -> None:
    for second, name in enumerate(("filled", "pending")):
        bench.ask("D", order(name, GTC), now=NOW + timedelta(seconds=second))
    bench.tell(FillOrder(FILLED, Decimal(10)), NOW + timedelta(seconds=2))
    at = NOW + timedelta(seconds=3)
    bench.ask("q", mass("m-refused", "7", (1, 16)), now=at)
    bench.ask("F", cancel("c-pending", "pending"), now=at)
    bench.ask("q", mass("m-again"), "TRADER39", at)
    bench.ask("H", ((11, "pending"), (55, "BTC-USD"), (54, "1")), now=at)


def copy(data: Path, name: str) -> Path:
    """A copy of the two files, in a directory beside `data`."""
    target = data.parent / name
    target.mkdir()
    for path in (*data.glob("journal.db*"), *data.glob("state.db*")):
        shutil.copy(path, target / path.name)
    return target


def edit(path: Path, *statements: str) -> None:
    """Change a database behind the gateway's back."""
    db = sqlite3.connect(path)
    for statement in statements:
        assert db.execute(statement).rowcount, statement
    db.commit()
    db.close()


def load(data: Path, since: datetime = NOW - timedelta(days=1)) -> Loaded:
    """What a start loads from the journal in `data`."""
    journal = SqliteJournal(data / "journal.db")
    try:
        return journal.load(since=since, closed_max=1_000)
    finally:
        journal.close()


def rows(path: Path, query: str) -> Iterator[tuple[object, ...]]:
    """What a query finds in a database."""
    db = sqlite3.connect(path)
    try:
        yield from db.execute(query).fetchall()
    finally:
        db.close()
