"""The desk with a real journal and a door that only remembers: order, once, committed before it is told."""

import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fixgw.config import load
from fixgw.core.errors import Refusal
from fixgw.core.reports import (
    Again,
    CancelReject,
    Execution,
    MassCancelReport,
    OrderRefused,
    OrderState,
    Outgoing,
    Report,
)
from fixgw.core.requests import ClientRequest
from fixgw.engine import desk as desk_module
from fixgw.engine.delivery import SHARED_FOR, SHARED_REPORTS
from fixgw.engine.desk import Desk
from fixgw.engine.sandbox import HoldCancels, RefuseCancel, ReleaseCancels
from fixgw.engine.turn import Arrival, Command, Limits, Line
from fixgw.fix import dictionary
from fixgw.fix.inbound import Inbound
from fixgw.journal.contract import Batch, SandboxState
from fixgw.journal.sqlite import SqliteJournal
from tests.gateway import ROOT, edit_session, write_config
from tests.wire import Client, Pairs, cancel, mass, order

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)


class Door:
    """Remembers what each session was sent, and with which numbers."""

    def __init__(self) -> None:
        self.next_out: dict[str, int] = {}
        self.sent: list[tuple[str, int, Report]] = []
        self.again: list[Report] = []
        self.away: set[str] = set()
        self.resets: list[tuple[str, int]] = []

    def numbers(self, session: str) -> tuple[int, int]:
        """Inbound numbers are not looked at here."""
        return 1, self.next_out.get(session, 1)

    def sending_time(self) -> datetime:
        """Always the same."""
        return NOW

    def send(self, session: str, reports: Sequence[Outgoing], first_seq_num: int, _: datetime) -> None:
        """Take the reports; those from an earlier epoch without their mark."""
        assert first_seq_num == self.next_out.get(session, 1)
        self.again += [report.report for report in reports if isinstance(report, Again)]
        plain = [report.report if isinstance(report, Again) else report for report in reports]
        self.sent += [(session, first_seq_num + place, report) for place, report in enumerate(plain)]
        self.next_out[session] = first_seq_num + len(reports)

    def is_away(self, session: str) -> bool:
        """Whether a test says so."""
        return session in self.away

    def reset(self, session: str, epoch: int) -> None:
        """Begin anew."""
        self.next_out[session] = 1
        self.resets.append((session, epoch))

    def log_out(self, session: str, why: str) -> None:
        """Nobody is there to be told."""

    def take(self) -> list[Report]:
        """What was sent since the last call."""
        taken, self.sent = [report for _, _, report in self.sent], []
        return taken


class Bench:
    """A desk on a journal, restarted at will."""

    def __init__(self, directory: Path, limits: Limits) -> None:
        config = write_config(directory / "config", edit_session("TRADER39", 'dialect = "extended"'))
        self.directory = load(config).directory()
        self.limits = limits
        self.journal = SqliteJournal(directory / "journal.db", "normal")
        self.door = Door()
        self.lines: list[Line] = []
        self.inbound = Inbound(dictionary.load(ROOT / "spec" / "FIX44.xml"))
        self.clients: dict[str, Client] = {}
        self.restart()

    def restart(self, now: datetime = NOW) -> None:
        """A new desk on what the journal has."""
        loaded = self.journal.load(since=now - timedelta(days=1), closed_max=self.limits.closed_max)
        self.desk = Desk(self.directory, self.journal, loaded, self.limits, now, self.lines.extend)

    def arrival(self, msg_type: str, fields: Pairs, name: str = "TRADER37") -> Arrival:
        """A message of the client `name` as it arrives."""
        client = self.clients.setdefault(name, Client(0, name))
        raw = client.encode(msg_type, fields).decode("latin-1")
        request: ClientRequest = self.inbound.read(raw, self.directory.sessions[name])
        return Arrival(name, self.desk.outbox.of(name).epoch, request.ref_seq_num, msg_type, request)

    def ask(self, msg_type: str, fields: Pairs, name: str = "TRADER37", now: datetime = NOW) -> list[Report]:
        """Ask in a turn of its own; what is told in that turn."""
        self.desk.turn(self.door, [self.arrival(msg_type, fields, name)], [], now)
        return self.door.take()

    def settle(self, at: datetime) -> None:
        """Wait until the journal can be asked about everything up to `at`."""
        deadline = time.monotonic() + 5
        while self.journal.settled < at and time.monotonic() < deadline:
            time.sleep(0.01)

    def say(self, said: HoldCancels | ReleaseCancels | RefuseCancel) -> list[Report]:
        """Tell the sandbox; what is told in that turn."""
        answers: list[Refusal | None] = []
        self.desk.turn(self.door, [], [Command(said, answers.append)], NOW)
        assert answers == [None]
        return self.door.take()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A desk with the usual limits."""
    made = Bench(tmp_path, Limits())
    yield made
    made.journal.close()


def test_a_request_that_was_seen_is_not_applied_again(bench: Bench) -> None:
    """A request at or below the journal's last inbound MsgSeqNum of its epoch is passed over."""
    arrival = bench.arrival("D", order("a1"))
    bench.desk.turn(bench.door, [arrival, arrival], [], NOW)
    assert len(bench.door.take()) == 1
    bench.restart()
    bench.desk.turn(bench.door, [arrival], [], NOW)
    assert bench.door.take() == []
    assert [line["event"] for line in bench.lines if isinstance(line, dict)].count("seen before") == 2


def test_a_request_taken_before_a_reset_is_still_answered(bench: Bench) -> None:
    """A new epoch begins between the callback and the turn: the request of the old one is not lost."""
    arrival = bench.arrival("D", order("a1"))
    assert bench.desk.epochs.begin("TRADER37", NOW) == arrival.epoch + 1
    bench.desk.turn(bench.door, [arrival], [], NOW)
    [entered] = bench.door.take()
    assert isinstance(entered, Execution)
    assert bench.desk.outbox.of("TRADER37").last_in == 0


def test_our_own_mistake_is_a_server_error_that_changes_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug is a plain exception, caught once, answered with 102; the next request is served."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(desk_module, "decide", broken)
        [refused] = bench.ask("D", order("a1"))
    assert isinstance(refused, OrderRefused)
    assert refused.refusal.code == 102
    assert isinstance(bench.ask("D", order("a2"))[0], Execution)


def test_what_memory_forgot_is_asked_of_the_journal(tmp_path: Path) -> None:
    """Closed orders and used ids are forgotten in bounded number, and known all the same."""
    bench = Bench(tmp_path, Limits(closed_max=1))
    for name in ("a1", "a2", "a3"):
        bench.ask("D", order(name))
        bench.ask("F", cancel(f"c-{name}", name))
    later = NOW + timedelta(seconds=1)
    bench.ask("D", order("a4"), now=later)
    assert bench.desk.states[1].book.get(1) is not None  # the journal cannot be asked about it yet
    bench.settle(later)
    bench.ask("D", order("a5"), now=later)
    assert bench.desk.states[1].book.get(1) is None
    by_name = bench.ask("F", cancel("c4", "a1"))[0]
    assert isinstance(by_name, CancelReject)
    assert (by_name.refusal.code, by_name.order and by_name.order.order_id) == (101, 1)
    by_id = bench.ask("F", cancel("c5", "NONE", (37, 2)))[0]
    assert isinstance(by_id, CancelReject)
    assert by_id.order is not None
    again = bench.ask("D", order("a1"))[0]
    assert isinstance(again, OrderRefused)
    assert again.refusal.code == 101
    bench.journal.close()


def test_a_cancel_on_its_way_at_a_crash_is_asked_of_the_venue(bench: Bench) -> None:
    """The order is Pending Cancel in the journal: at start its outcome is asked, and only that is told."""
    bench.ask("D", order("a1"))
    bench.say(HoldCancels())
    bench.ask("F", cancel("c1", "a1"))
    bench.journal.commit(Batch(sandbox=SandboxState()))
    bench.restart()
    bench.desk.resume(bench.door, NOW)
    [end] = bench.door.take()
    assert isinstance(end, Execution)
    assert (end.exec_type.value, end.cl_ord_id, end.orig_cl_ord_id) == ("4", "c1", "a1")


def test_a_mass_cancel_goes_on_counting_after_a_restart(bench: Bench) -> None:
    """What was canceled and what was not is counted over a restart; the second r comes when all is done."""
    for name in ("a1", "a2"):
        bench.ask("D", order(name), "TRADER39")
    bench.say(HoldCancels())
    bench.say(RefuseCancel(2, "no"))
    accepted = bench.ask("q", mass("m1"), "TRADER39")[0]
    assert isinstance(accepted, MassCancelReport)
    assert accepted.total_affected == 2
    bench.restart()
    first, second, done = bench.say(ReleaseCancels())
    assert isinstance(first, Execution)
    assert isinstance(second, CancelReject)
    assert isinstance(done, MassCancelReport)
    assert (done.completed, done.total_affected, done.not_affected) == (True, 1, ((2, "a2"),))


def test_a_mass_cancel_that_ends_at_once_leaves_nothing_to_go_on_with(bench: Bench) -> None:
    """Only one that waits is stored for the next start, until it has ended: here the second of three."""
    bench.ask("D", order("a1"))
    bench.ask("q", mass("m1"))
    bench.ask("D", order("a2"))
    bench.say(HoldCancels())
    bench.ask("q", mass("m2"))
    bench.ask("q", mass("m3"))
    bench.say(ReleaseCancels())
    rows = bench.journal._query(
        "SELECT row.value FROM log.turn, json_each(turn.numbers, '$.mass_cancels') row", ()
    )
    stored = [json.loads(row) for (row,) in rows]
    assert [(number, is_done) for number, is_done, _ in stored] == [(4, False), (4, True)]
    assert not bench.desk.states[1].mass_cancels


def test_a_turn_sends_no_more_than_its_share(tmp_path: Path) -> None:
    """Numbers are assigned to what this turn sends, and to nothing else; the waiting sessions share it."""
    bench = Bench(tmp_path, Limits(reports_per_turn=4))
    for place in range(9):
        bench.ask("D", order(f"a{place}"))
    bench.ask("D", order("b1"), "TRADER38")
    bench.desk.turn(
        bench.door, [bench.arrival("q", mass("m1")), bench.arrival("AF", ((584, "s"), (585, "7")))], [], NOW
    )
    assert len(bench.door.take()) == 4
    turns = 0
    while bench.desk.has_work:
        bench.desk.turn(bench.door, [bench.arrival("AF", ((584, "s"), (585, "7")), "TRADER39")], [], NOW)
        turns += 1
        assert len(bench.door.sent) <= 4
        assert turns == 1 or any(session == "TRADER39" for session, _, _ in bench.door.sent)
        bench.door.take()
        if turns > 10:
            break
    assert turns > 1
    bench.journal.close()


def test_turns_are_short_while_others_ask(bench: Bench) -> None:
    """An answer does not wait for hundreds of another session's reports, turn after turn."""
    for place in range(600):
        bench.ask("D", order(f"a{place}"))
    assert len(bench.ask("q", mass("m1"))) == 500, "nobody else is there"
    told = bench.ask("AF", ((584, "s"), (585, "7")), "TRADER39")
    assert len(told) == SHARED_REPORTS
    assert isinstance(told[0], OrderState), "and the answer goes first"
    bench.desk.turn(bench.door, [], [], NOW + SHARED_FOR / 2)
    assert len(bench.door.take()) == SHARED_REPORTS
    bench.desk.turn(bench.door, [], [], NOW + SHARED_FOR)
    assert len(bench.door.take()) == 601 - 500 - 2 * SHARED_REPORTS + 1


def test_day_orders_expire_in_portions(tmp_path: Path) -> None:
    """The end of a day is passed once; a large book expires in portions, so that nothing waits for it."""
    bench = Bench(tmp_path, Limits(expire_per_turn=2))
    for place in range(5):
        bench.ask("D", order(f"a{place}"))
    tomorrow = NOW + timedelta(days=1)
    assert bench.desk.is_due(tomorrow)
    expired = []
    for _ in range(3):
        bench.desk.turn(bench.door, [], [], tomorrow)
        expired.append(len(bench.door.take()))
    assert expired == [2, 2, 1]
    assert not bench.desk.is_due(tomorrow)
    assert not bench.desk.is_due(NOW)
    assert not bench.desk.has_work
    bench.journal.close()
