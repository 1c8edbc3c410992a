"""A child's side of its supervision: what it is told at its start, and that it never stays behind.

The supervisor holds the other end of a child's standard input for as long as it lives. What it says comes
through it, line by line, and at last its end, which means that the supervisor is gone.
"""

import ctypes
import faulthandler
import os
import select
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

LINE_MAX = 1_024  # bytes; the line is about a hundred long

_PR_SET_PDEATHSIG = 1  # prctl(2): the signal that the kernel sends when the parent has ended


class SupervisionError(Exception):
    """There is no supervisor; the text says how it was missed."""


class Told(Struct, frozen=True):
    """What the supervisor tells a child: its own process id, and the secret of this start of the gateway.

    The secret is the Password(554) of every Logon that the engine gets, from the edge or the supervisor.
    """

    supervisor: int
    secret: str


def begin() -> Told:
    """Become a supervised process: end with the supervisor, and dump all stacks to stderr on SIGABRT.

    Returns what the supervisor says first. Raises SupervisionError when there is none.
    """
    faulthandler.enable()
    if sys.platform == "linux":  # elsewhere, or should the kernel refuse it, `is_orphan` is what notices
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if sys.stdin is None or sys.stdin.isatty():
        raise SupervisionError("the engine and the edge are started by `fixgw serve`, not by hand")
    try:
        with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as said:  # nothing is read ahead
            told = msgspec.json.decode(said.readline(LINE_MAX), type=Told)
    except (OSError, msgspec.MsgspecError) as error:
        why = "the engine and the edge are started by `fixgw serve`, which said nothing"
        raise SupervisionError(why) from error
    if os.getppid() != told.supervisor:  # it ended before the kernel was asked
        raise SupervisionError(f"the supervisor {told.supervisor} has ended")
    return told


def is_orphan() -> bool:
    """Whether the supervisor is gone. For a child that it says nothing more to."""
    readable, _, _ = select.select((sys.stdin,), (), (), 0)
    return bool(readable)


def options(program: str, ports: Sequence[str]) -> Namespace:
    """The command line that the supervisor gives a child: `config` and `data` (paths), and the `ports`.

    It is read without the libraries of the `fixgw` command, which would take as long as the rest of a start.
    """
    parser = ArgumentParser(prog=program, allow_abbrev=False)
    for name in ("--config", "--data"):
        parser.add_argument(name, type=Path, required=True)
    for name in ports:
        parser.add_argument(name, type=int, required=True)
    return parser.parse_args()
