"""Handles SIGINT, and then imports quickfix."""

import importlib
import signal
import threading
from types import FrameType

handled = threading.Event()


def handle(_: int, __: FrameType | None) -> None:
    """Say that it came."""
    handled.set()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, handle)
    importlib.import_module("quickfix")
    unchanged = signal.getsignal(signal.SIGINT) is handle
    print(f"ready, Python still names our handler: {unchanged}", flush=True)  # noqa: T201
    handled.wait(20)
