"""Killed in every gap between QuickFIX, its numbers, and the journal: nothing is lost or doubled."""

import json
import os
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from fixgw.engine.desk import UNCOMMITTED_MAX
from fixgw.fix.recovery import LOST_STORE_GAP
from tests.rig import TURN, Rig, wait_until

MANY = 3 * TURN  # orders; their reports take three turns and more
LAST_TURN = "SELECT numbers FROM turn ORDER BY seq DESC LIMIT 1"


def long(*values: object) -> ParameterSet:
    """A parameter of which the suite has enough others."""
    return pytest.param(*values, marks=pytest.mark.long)


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param("after take 1 kill", id="counted-but-not-decided", marks=pytest.mark.long),
        pytest.param("before insert 1 kill", id="in-the-commit-before-sqlite", marks=pytest.mark.long),
        pytest.param("after insert 1 kill", id="in-the-commit-after-sqlite"),
        pytest.param("before send 1 kill", id="before-the-first-send", marks=pytest.mark.long),
        pytest.param("after send 3 kill", id="after-the-third-send"),
        pytest.param("after turn 1 kill", id="after-the-turn", marks=pytest.mark.long),
        pytest.param("before fold 1 kill", id="sent-but-not-folded", marks=pytest.mark.long),
        pytest.param("after fold-begins 1 kill", id="in-the-fold", marks=pytest.mark.long),
        pytest.param("after fold 1 kill", id="after-the-fold"),
    ],
)
def test_in_a_turn(rig: Rig, plan: str) -> None:
    """Killed anywhere between QuickFIX's count of a request and the fold of what became of it."""
    rig.plan(plan)
    rig.work()
    rig.ends()
    rig.restart()


def test_in_the_writes_of_a_commit(rig: Rig) -> None:
    """Killed when SQLite has written a part of the turn's pages: nothing of the turn is there."""
    rig.trader.enter(200)
    rig.trader.drain()
    rig.plan("before insert 1 tear")
    rig.operator.mass_cancel()
    rig.ends(-signal.SIGXFSZ)
    rig.restart()


def test_at_the_first_request_after_a_clean_stop(rig: Rig) -> None:
    """Counted by QuickFIX, not committed, and the last that the journal knows is a clean stop."""
    rig.stop()
    rig.ends(0)
    rig.gateway.start()
    rig.trader.come_back()
    rig.plan("before commit 1 kill")
    rig.trader.enter()
    rig.ends()
    rig.restart()


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param("before last-poll 1 kill", id="logged-out", marks=pytest.mark.long),
        pytest.param("before last-commit 1 kill", id="port-closed-but-not-committed", marks=pytest.mark.long),
        pytest.param("after last-commit 1 kill", id="committed-but-not-closed"),
    ],
)
def test_in_a_clean_stop(rig: Rig, plan: str) -> None:
    """Killed while it stops."""
    rig.plan(plan)
    rig.stop()
    rig.ends()
    rig.restart()


FILES = ("body", "header", "seqnums", "session")


def away(rig: Rig) -> None:
    """Kill the gateway when it has reports for the trader, who is away."""
    rig.trader.close()
    rig.operator.mass_cancel()
    rig.operator.drain()
    rig.kill()


def step_back(store: Path, session: str) -> None:
    """Make of QuickFIX's numbers what they were one outbound message earlier."""
    seqnums = store / f"FIX.4.4-FIXGW-{session}.seqnums"
    next_out, _, next_in = seqnums.read_text().partition(" : ")
    seqnums.write_text(f"{int(next_out) - 1:020} : {next_in}")


def test_the_numbers_lag_by_a_report(rig: Rig) -> None:
    """The client gets it under its own number."""
    away(rig)
    step_back(rig.store, "TRADER37")
    assert rig.restart()["not_sent"] == 1


def test_the_machine_went_down(rig: Rig) -> None:
    """The numbers lag by a heartbeat that the client has seen, or by a report that it has not."""
    rig.trader.drain()
    away(rig)
    step_back(rig.store, "TRADER37")
    step_back(rig.store, "OPERATOR1")
    (rig.store / "boot").write_text("another start of the machine")
    before = rig.next_out()
    recovered = rig.restart()
    assert recovered["next_out"] == before + 1 + LOST_STORE_GAP


def test_the_machine_went_down_after_a_clean_stop(rig: Rig) -> None:
    """Then the journal has the last numbers, and none is skipped."""
    rig.stop()
    rig.ends(0)
    before = rig.next_out()
    step_back(rig.store, "TRADER37")
    (rig.store / "boot").write_text("another start of the machine")
    assert rig.restart()["next_out"] == before


def test_no_number_is_skipped_when_only_the_process_was_killed(rig: Rig) -> None:
    """They are in order, and go on."""
    rig.kill()
    before = rig.next_out()
    recovered = rig.restart()
    assert (recovered["next_out"], recovered["store"], recovered["not_sent"]) == (before, "found", 0)


def test_more_heartbeats_than_a_recovery_skips(rig: Rig) -> None:
    """Their numbers are committed now and then: a store that is lost takes few of them with it."""
    for _ in range(LOST_STORE_GAP + 200):
        rig.trader.send("1", (112, "x"))
    rig.trader.drain()
    with closing(sqlite3.connect(rig.store.parent / "journal.db")) as journal:

        def journaled() -> int:
            (numbers,) = journal.execute(LAST_TURN).fetchone()
            sessions = dict(json.loads(numbers)["sessions"])
            return int(sessions.get("TRADER37", {"next_out": 0})["next_out"])

        wait_until(lambda: journaled() > rig.next_out() - UNCOMMITTED_MAX)
    rig.kill()
    shutil.rmtree(rig.store)
    rig.restart()


@pytest.mark.parametrize(
    "lost", [("body",), *map(long, [("header",), ("seqnums",)]), ("header", "body"), FILES]
)
def test_the_store_is_lost(rig: Rig, lost: tuple[str, ...]) -> None:
    """A file of it is gone, or all of them."""
    away(rig)
    for name in lost:
        for file in rig.store.glob(f"*.{name}"):
            file.unlink()
    rig.restart()


def test_the_numbers_of_the_store_cannot_be_read(rig: Rig) -> None:
    """A loss of power left something else in the file, of the right length."""
    away(rig)
    for file in rig.store.glob("*.seqnums"):
        file.write_text(" " * file.stat().st_size)
    rig.restart()


def test_the_store_is_lost_and_its_recovery_is_killed(rig: Rig) -> None:
    """The second start finds a store that looks whole."""
    rig.trader.drain()
    rig.kill()
    shutil.rmtree(rig.store)
    rig.ends_at_start(plan="after mend 1 kill")
    rig.ends_at_start(plan="after resume 1 kill")
    rig.restart()


def test_what_was_laid_out_is_torn(rig: Rig) -> None:
    """What clients asked for again is written anew each time, whatever is there."""
    away(rig)
    rig.restart()
    away(rig)
    for name in ("body", "header"):
        file = rig.store / f"FIX.4.4-FIXGW-TRADER37.{name}"
        assert file.stat().st_size
        os.truncate(file, file.stat().st_size - 4)
    rig.restart()


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param("after send 99 kill", id="before-the-last-report-of-a-turn"),
        pytest.param("after turn 1 kill", id="between-two-turns"),
        pytest.param("after commit 2 kill", id="in-the-second-turn-between-commit-and-send"),
        pytest.param("after send 250 kill", id="in-the-third-turn"),
    ],
)
def test_in_a_mass_cancel(rig: Rig, plan: str) -> None:
    """Killed in the turns that send the many reports of a mass cancel."""
    rig.trader.enter(MANY - len(rig.trader.open_orders))
    rig.trader.drain()
    assert len(rig.trader.open_orders) == MANY
    rig.plan(plan)
    rig.trader.mass_cancel()
    rig.ends()
    rig.restart()
    assert rig.trader.open_orders == {}


def test_in_the_recovery_of_a_crash(rig: Rig) -> None:
    """Killed again and again in the starts that mend what the crash before them left."""
    rig.trader.enter(MANY - len(rig.trader.open_orders))
    rig.trader.drain()
    rig.plan("after send 40 kill")
    rig.trader.mass_cancel()  # a report and 300 ends: 100 have a number now, and 40 were sent
    rig.ends()
    sent = rig.next_out()
    for plan, more in (
        ("after mend 3 kill", 60),
        ("after commit 1 kill", 60),  # 100 more have a number
        ("after mend 3 kill", 160),
        ("after resume 1 kill", 260),  # and 100 more are counted
    ):
        rig.ends_at_start(plan=plan)
        assert rig.next_out() - sent == more, plan
    rig.restart()
    assert rig.trader.open_orders == {}
