"""The peer in a process of its own, for tests."""

import subprocess
import sys
from pathlib import Path
from types import TracebackType

from tests.gateway import ROOT, free_port

STOP_SECONDS = 15.0


class Peer:
    """A running peer; a context manager. `directory` is where it is told what to do."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.directory = directory

    def __enter__(self) -> "Peer":
        command = [sys.executable, "-m", "tests.peer.acceptor", str(self.port), str(self.directory)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
