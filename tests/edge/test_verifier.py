"""The check of credentials: who waits for whom, and that nobody is kept out by somebody else's failures."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from argon2 import PasswordHasher

from fixgw import passwords
from fixgw.edge import verifier as module
from fixgw.edge.logon import Claim, Refused
from fixgw.edge.verifier import DELAY_SECONDS_MAX, FREE_FAILURES, Verifier

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
RIGHT = {name: (name, CHEAP.hash(f"{name}'s own")) for name in ("A", "B", "C")}
WRONG = Refused("wrong password")


def claim(session: str, password: str | None = None, username: str | None = None) -> Claim:
    """The claim of a session, right if nothing else is said."""
    said = f"{session}'s own" if password is None else password
    return Claim(session, session if username is None else username, said, 1, 30, False)


class Gate:
    """Stands in for the check of a password: counts, and holds each one until the gate is open."""

    def __init__(self) -> None:
        self.checked: list[bytes] = []
        self.entered = threading.Event()
        self._is_open = threading.Event()

    def open(self) -> None:
        """Let all through."""
        self._is_open.set()

    def __call__(self, password: bytes, password_hash: str) -> bool:
        self.checked.append(password)
        self.entered.set()
        assert self._is_open.wait(30)
        return passwords.is_right(password, password_hash)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """A gate that all checks of this test have to pass."""
    made = Gate()
    monkeypatch.setattr(module, "is_right", made)
    yield made
    made.open()


@contextmanager
def closing(verifier: Verifier) -> Iterator[Verifier]:
    """The verifier, closed at the end."""
    try:
        yield verifier
    finally:
        verifier.close()


async def entered(gate: Gate) -> None:
    """Wait until the thread is in a check."""
    assert await asyncio.to_thread(gate.entered.wait, 30)


async def settle() -> None:
    """Let every task that can go on go on until it has to wait."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_right_and_wrong() -> None:
    """What is wrong is said for the log; what the client is told is always the same."""

    async def run() -> None:
        with closing(Verifier(RIGHT)) as verifier:
            for _ in range(2):
                assert await verifier.check(claim("A"), "192.0.2.1") is None
                assert await verifier.check(claim("A", "guess"), "192.0.2.1") == WRONG
                assert await verifier.check(claim("A", username="B"), "192.0.2.1") == Refused(
                    "wrong username"
                )
                assert await verifier.check(claim("Z"), "192.0.2.1") == Refused("wrong username")
                assert await verifier.check(claim("A", "B's own"), "") == WRONG

    asyncio.run(run())


def test_passwords_are_bytes() -> None:
    """What is no UTF-8, NULs and very long ones are passwords like others."""

    async def run() -> None:
        for password in (b"\xff\xfe\x00\x80", b"x" * 100_000, "пароль".encode()):
            right = {"A": ("A", CHEAP.hash(password))}
            with closing(Verifier(right)) as verifier:
                said = password.decode("utf-8", "surrogateescape")
                assert await verifier.check(claim("A", said + "\x00"), "::1") == WRONG
                assert await verifier.check(claim("A", said), "::1") is None
                assert await verifier.check(claim("A", said), "::1") is None

    asyncio.run(run())


def test_who_is_unknown_costs_no_check(gate: Gate) -> None:
    """Neither an unknown session nor an unknown username, right password or not."""

    async def run() -> None:
        with closing(Verifier(RIGHT)) as verifier:
            await verifier.check(claim("Z"), "192.0.2.1")
            await verifier.check(claim("A", username="Z"), "192.0.2.1")
            assert gate.checked == []

    asyncio.run(run())


def test_what_was_right_once_is_right_at_once() -> None:
    """A client that comes back waits for nobody, while hundreds of wrong ones stand in line."""
    right = {"A": ("A", passwords.hash_password("A's own"))}

    async def run() -> None:
        with closing(Verifier(right)) as verifier:
            assert await verifier.check(claim("A"), "192.0.2.1") is None
            wrong = [
                asyncio.create_task(verifier.check(claim("A", f"guess {n}"), f"198.51.100.{n % 250}"))
                for n in range(400)
            ]
            await settle()
            check = verifier.check(claim("A"), "203.0.113.9")
            with pytest.raises(StopIteration) as ended:  # without waiting even once
                check.send(None)
            assert ended.value.value is None
            assert sum(task.done() for task in wrong) < 10
            for task in wrong:
                task.cancel()

    asyncio.run(run())


def test_the_first_time_goes_before_those_that_failed_often(gate: Gate) -> None:
    """Neither an address that guesses one password nor one that tries all sessions keeps a client waiting."""
    finished: list[str] = []

    async def attempt(verifier: Verifier, said: Claim, address: str, label: str) -> None:
        await verifier.check(said, address)
        finished.append(label)

    async def run() -> None:
        with closing(Verifier(RIGHT)) as verifier:
            tasks = [
                asyncio.create_task(attempt(verifier, claim("A", "guess"), "198.51.100.1", "guess"))
                for _ in range(30)
            ]
            await settle()
            await entered(gate)
            for session in ("B", "C"):
                said = claim(session, "guess")
                tasks.append(asyncio.create_task(attempt(verifier, said, "198.51.100.1", "try")))
            await settle()
            tasks.append(asyncio.create_task(attempt(verifier, claim("A"), "192.0.2.1", "right")))
            await settle()
            gate.open()
            await asyncio.gather(*tasks)

    asyncio.run(run())
    # the first guess was in the thread, and the second had waited with none before it
    assert finished.index("right") <= 2
    assert finished[finished.index("right") + 1 :][:2] == ["try", "try"]


def test_failures_count_for_a_minute(gate: Gate) -> None:
    """Who has failed stands behind who has not, and a minute later beside him again."""
    now = 0.0
    gate.open()

    async def order() -> list[bytes]:
        gate.checked.clear()
        checks = [
            verifier.check(claim("A", "held"), "203.0.113.1"),
            verifier.check(claim("A", "failed before"), "198.51.100.1"),
            verifier.check(claim("A", "never failed"), "192.0.2.1"),
        ]
        await asyncio.gather(*checks)
        return list(gate.checked)

    async def run() -> None:
        nonlocal now
        assert await verifier.check(claim("A", "guess"), "198.51.100.1") == WRONG
        assert await order() == [b"held", b"never failed", b"failed before"]
        now = 61.0
        assert await order() == [b"held", b"failed before", b"never failed"]

    with closing(Verifier(RIGHT, lambda: now)) as verifier:
        asyncio.run(run())


def test_who_has_gone_away_costs_no_check(gate: Gate) -> None:
    """A connection that ends while it waits leaves the line; one that is being checked stops nobody."""

    async def run() -> None:
        with closing(Verifier(RIGHT)) as verifier:
            first = asyncio.create_task(verifier.check(claim("A", "first"), "192.0.2.1"))
            await settle()
            await entered(gate)
            waiting = [
                asyncio.create_task(verifier.check(claim("A", f"gone {n}"), "192.0.2.1")) for n in range(50)
            ]
            last = asyncio.create_task(verifier.check(claim("B"), "192.0.2.2"))
            await settle()
            for task in (first, *waiting):
                task.cancel()
            gate.open()
            assert await last is None
            assert gate.checked == [b"first", b"B's own"]
            assert await verifier.check(claim("C"), "192.0.2.2") is None
            assert verifier._waiting == []

    asyncio.run(run())


def test_changed_credentials_count_at_once() -> None:
    """What was right before is wrong, and what was wrong is right."""

    async def run() -> None:
        with closing(Verifier(RIGHT)) as verifier:
            assert await verifier.check(claim("A"), "192.0.2.1") is None
            assert await verifier.check(claim("B"), "192.0.2.1") is None
            verifier.update({"A": ("A", CHEAP.hash("new"))})
            assert await verifier.check(claim("A"), "192.0.2.1") == WRONG
            assert await verifier.check(claim("A", "new"), "192.0.2.1") is None
            assert await verifier.check(claim("B"), "192.0.2.1") == Refused("wrong username")

    asyncio.run(run())


def test_changed_credentials_count_for_those_who_wait(gate: Gate) -> None:
    """Also for the one whose check against the old ones has begun."""

    async def run() -> None:
        with closing(Verifier(RIGHT)) as verifier:
            checked = asyncio.create_task(verifier.check(claim("A"), "192.0.2.1"))
            await settle()
            await entered(gate)
            waiting = asyncio.create_task(verifier.check(claim("A", "new"), "192.0.2.2"))
            await settle()
            verifier.update({"A": ("A", CHEAP.hash("new"))})
            gate.open()
            assert await checked == WRONG
            assert await waiting is None
            assert gate.checked.count(b"A's own") == 2

    asyncio.run(run())


def test_closed_it_lets_nobody_wait(gate: Gate) -> None:
    """All who wait are cancelled."""

    async def run() -> None:
        verifier = Verifier(RIGHT)
        first, second = (asyncio.create_task(verifier.check(claim(name), "192.0.2.1")) for name in ("A", "B"))
        await settle()
        await entered(gate)
        verifier.close()
        gate.open()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert await first is None

    asyncio.run(run())


def test_the_loop_goes_on_while_a_password_is_checked() -> None:
    """The costliest hash that is allowed does not stop the loop."""
    hasher = PasswordHasher(time_cost=3, memory_cost=passwords.MAX_COST // 3, parallelism=1)
    right = {"A": ("A", hasher.hash("A's own"))}
    assert passwords.hash_problem(right["A"][1]) is None

    async def run() -> int:
        with closing(Verifier(right)) as verifier:
            check = asyncio.create_task(verifier.check(claim("A"), "192.0.2.1"))
            ticks = 0
            while not check.done():
                await asyncio.sleep(0.001)
                ticks += 1
            assert check.result() is None
            return ticks

    assert asyncio.run(run()) > 5


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a niceness of their own on Linux only")
def test_the_thread_is_the_last_one_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Niceness 19 for the checks, and for nothing else."""
    seen: list[int] = []

    def check(_: bytes, __: str) -> bool:
        seen.append(os.getpriority(os.PRIO_PROCESS, 0))
        return True

    monkeypatch.setattr(module, "is_right", check)
    before = os.getpriority(os.PRIO_PROCESS, 0)

    async def run() -> None:
        with closing(Verifier(RIGHT)) as verifier:
            await verifier.check(claim("A"), "192.0.2.1")

    asyncio.run(run())
    assert seen == [19]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def delays(verifier: Verifier, addresses: Callable[[int], str], count: int) -> list[float]:
    return [verifier.delay(addresses(n)) for n in range(count)]


def test_after_ten_failures_a_minute_each_one_waits_longer() -> None:
    """Per address, growing to a second, and forgotten after a minute."""
    now = 0.0
    with closing(Verifier(RIGHT, lambda: now)) as verifier:
        found = delays(verifier, lambda _: "192.0.2.1", 40)
        assert found[:FREE_FAILURES] == [0.0] * FREE_FAILURES
        assert found[FREE_FAILURES] > 0
        assert found == sorted(found)
        assert found[-1] == DELAY_SECONDS_MAX == 1.0
        assert verifier.delay("192.0.2.2") == 0.0
        assert verifier.delay("::ffff:192.0.2.1") == DELAY_SECONDS_MAX
        now = 61.0
        assert verifier.delay("192.0.2.1") == 0.0


def test_the_network_of_an_ipv6_host_is_one_address() -> None:
    """Each host has 2**64 addresses to try from."""
    with closing(Verifier(RIGHT)) as verifier:
        assert delays(verifier, lambda n: f"2001:db8::{n:x}", 40)[-1] == DELAY_SECONDS_MAX
        assert verifier.delay("2001:db8:0:1::1") == 0.0
