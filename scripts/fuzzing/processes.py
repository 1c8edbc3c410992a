"""The gateway's processes as the system sees them: which there are, their memory, their descriptors."""

import os
from pathlib import Path
from typing import NamedTuple

PAGE_BYTES = os.sysconf("SC_PAGESIZE")


class Process(NamedTuple):
    """A process: its id, and what it is called here (`engine`, `edge`, `api`)."""

    pid: int
    name: str

    @property
    def resident(self) -> int:
        """Its memory in bytes; 0 when it is gone."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE_BYTES
        except OSError:
            return 0

    @property
    def descriptors(self) -> int:
        """How many files and sockets it has open; 0 when it is gone."""
        try:
            return len(os.listdir(f"/proc/{self.pid}/fd"))
        except OSError:
            return 0


def children(pid: int) -> list[Process]:
    """The running children of a process, none when it is gone."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return sorted(Process(int(child), _name(int(child))) for child in found)


def _name(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        command = b""
    modules = {b"fixgw.edge.api": "api", b"fixgw.edge": "edge"}
    return next((name for module, name in modules.items() if module in command), "engine")
