"""Plays a scenario on the true gateway, where it must pass, and on one with the fault that it is made to
notice, where it must fail. `scripts/faults.py` does it with all of them.
"""

import socket
import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from fixgw.certify import profile
from fixgw.certify.controls import ControlError
from fixgw.certify.grammar import Script
from fixgw.certify.parser import parse
from fixgw.certify.player import Player
from fixgw.certify.results import Outcome, Result
from fixgw.control_commands import cancel_all
from fixgw.core.requests import FillOrder, TriggerOrder
from fixgw.engine.sandbox import FindVenue, HoldCancels, LoseVenue, RefuseCancel, ReleaseCancels
from fixgw.engine.turn import ReleaseLock, Status
from fixgw.link import Said, call
from tests.gateway import Gateway, own_address, until
from tests.mutants import extended, switch

OMS = 1
PATIENCE_SECONDS = 10.0
IMPATIENCE_SECONDS = 1.0  # for a gateway with a fault: what is missing there never comes

CLEAN = parse(
    """title: nothing is left
rule: each scenario begins with an empty book
logon OPERATOR
OPERATOR > 35=q|11={new clean}|530=7|60={now}
OPERATOR < 35=r|531=7|533=0
""",
    "000-clean.fix",
)


class Verdict(NamedTuple):
    """What a scenario says of the true gateway ("" if it passes) and of the one with a fault ("" if so)."""

    script: Script
    fault: str
    problem: str
    noticed: str

    @property
    def is_good(self) -> bool:
        """Whether the scenario passes where it must, and fails where it must."""
        return not self.problem and bool(self.noticed)


class WrongGateway:
    """A gateway that is wrong in one way at a time, or right; a context manager."""

    def __init__(self, directory: Path) -> None:
        self._switch = directory / "fault"
        self._switch.write_text("")
        module = (sys.executable, "-m", "tests.mutants.wrong_gateway")
        config, own = extended.write(directory)
        env = {switch.SWITCH: str(self._switch)}
        self._gateway = Gateway(directory / "data", config, env=env, command=module)
        self._profile = profile.load(own)

    def __enter__(self) -> "WrongGateway":
        self._gateway.start()
        self._patient = self._player(PATIENCE_SECONDS)
        self._impatient = self._player(IMPATIENCE_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gateway.__exit__(kind, error, trace)

    def _player(self, patience: float) -> Player:
        own = self._profile.model_copy(update={"patience_seconds": patience})
        return Player(own, self._connect, self._say)

    def _connect(self, _: str) -> socket.socket:
        return socket.create_connection(
            ("127.0.0.1", self._gateway.port), PATIENCE_SECONDS, source_address=(own_address(), 0)
        )

    def _say(self, name: str, arguments: Mapping[str, str]) -> None:
        """What the commands of the profile say, without a process for each of them."""
        if name == "kill":
            cancel_all(self._gateway.data, OMS, "of the tests", user_id=int(arguments["user"]), locks=False)
            return
        reply = self._gateway.say(said(name, arguments))
        if reply.errorcode:
            raise ControlError(reply.detail)

    def play(self, script: Script, fault: str = "") -> Result:
        """Play a scenario with a fault, or without; afterwards the gateway is right and its book empty."""
        self._switch.write_text(fault)
        player = self._impatient if fault else self._patient
        try:
            return player.play(script)
        finally:
            self._switch.write_text("")
            if fault:
                self._clean()

    def _clean(self) -> None:
        """Cut the connections that are left, and cancel what is open."""
        for session in self._impatient._cast._sessions.values():
            session.close()
        self._say("release", {})
        for lock in call(self._gateway.data, Status()).status.locks:
            self._gateway.say(ReleaseLock(lock.lock_id, "the tests"))
        until(lambda: self._patient.play(CLEAN).outcome is Outcome.PASSED)

    def verdict(self, script: Script, fault: str) -> Verdict:
        """What a scenario says of the true gateway, and of the wrong one."""
        right = self.play(script)
        problem = "" if right.outcome is Outcome.PASSED else f"{right.outcome}: {right.reason}"
        wrong = self.play(script, fault)
        return Verdict(script, fault, problem, noticed(wrong))


def noticed(result: Result) -> str:
    """Where and how a scenario has noticed a fault; "" if it has not, or not where it looks at an answer."""
    failed = [played for played in result.played if played.problem]
    if result.outcome is not Outcome.FAILED or not failed or not failed[0].line:
        return ""
    looks = " < " in failed[0].text or failed[0].text.split()[0] in ("any", "logon", "logout")
    looks |= failed[0].text.endswith(("quiet", "closed"))
    return result.reason if looks else ""


def said(name: str, arguments: Mapping[str, str]) -> Said:
    """What the engine is told for a control of the profile."""
    order_id = int(arguments.get("order_id", 0))
    match name:
        case "hold":
            return HoldCancels()
        case "release":
            return ReleaseCancels()
        case "lose":
            return LoseVenue()
        case "find":
            return FindVenue()
        case "refuse":
            return RefuseCancel(order_id, arguments["reason"])
        case "trigger":
            return TriggerOrder(order_id)
        case _:
            px = arguments.get("price")
            return FillOrder(order_id, Decimal(arguments["quantity"]), None if px is None else Decimal(px))


def verdicts(gateway: WrongGateway, scripts: Iterable[Script]) -> Iterable[Verdict]:
    """One for each fault that is made for one of the scripts."""
    faults = switch.names_by_scenario()
    for script in scripts:
        for fault in faults.get(script.number, ["(no fault is made for it)"]):
            yield gateway.verdict(script, fault)
