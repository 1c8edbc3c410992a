"""The engine's side of its supervision: what it is told at its start, and that it never stays behind.

The supervisor holds the other end of the engine's standard input for as long as it lives. One line comes
through it, and then nothing but its end, which means that the supervisor is gone.
"""

import ctypes
import faulthandler
import os
import select
import signal
import sys

import msgspec
from msgspec import Struct

LINE_MAX = 1_024  # bytes; the line is about a hundred long

_PR_SET_PDEATHSIG = 1  # prctl(2): the signal that the kernel sends when the parent has ended


class SupervisionError(Exception):
    """There is no supervisor; the text says how it was missed."""


class Told(Struct, frozen=True):
    """What the supervisor tells the engine: its own process id, and the secret it will log on with."""

    supervisor: int
    secret: str


def begin() -> Told:
    """Become a supervised process: end with the supervisor, and dump all stacks to stderr on SIGABRT.

    Returns what the supervisor says. Raises SupervisionError when there is none.
    """
    faulthandler.enable()
    if sys.platform == "linux":  # elsewhere, or should the kernel refuse it, `is_orphan` is what notices
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if sys.stdin is None or sys.stdin.isatty():
        raise SupervisionError("the engine is started by `fixgw serve`, not by hand")
    try:
        told = msgspec.json.decode(sys.stdin.buffer.readline(LINE_MAX), type=Told)
    except (OSError, msgspec.MsgspecError) as error:
        raise SupervisionError("the engine is started by `fixgw serve`, which said nothing") from error
    if os.getppid() != told.supervisor:  # it ended before the kernel was asked
        raise SupervisionError(f"the supervisor {told.supervisor} has ended")
    return told


def is_orphan() -> bool:
    """Whether the supervisor is gone."""
    readable, _, _ = select.select((sys.stdin,), (), (), 0)
    return bool(readable)
