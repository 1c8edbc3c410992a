"""The other direction: the venue is played, and what a client's engine sends and how it reacts is checked."""

import re
import selectors
import socket
import time
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from fixgw.certify.catalogue import choose
from fixgw.certify.grammar import Script
from fixgw.certify.parser import ScriptError, parse
from fixgw.certify.profile import Connection, Profile, Role

VENUE = "VENUE"
"""The role that is played here: its session's other side is the client."""

FEATURES = frozenset({"mass-cancel", "order-status", "early-cancel"})
"""What a client may be able to do, and a script can need."""

_PEEK_BYTES = 4_096
_LOGON_SECONDS = 3.0  # from the first bytes of a connection to its whole Logon(A)
_PEEK_SECONDS = 0.01  # between two looks at a message that has not come whole
_NAMES = re.compile(
    rb"8=FIX.*?\x0135=A\x01(?=.*?\x0149=([^\x01]+)\x01)(?=.*?\x0156=([^\x01]+)\x01)", re.DOTALL
)


def scripts() -> list[Script]:
    """The scripts for clients that ship with fixgw, by number."""
    shipped = resources.files("fixgw.certify") / "client_scenarios"
    found = [
        parse(file.read_text(encoding="utf-8"), f"client_scenarios/{file.name}")
        for file in shipped.iterdir()
        if file.name.endswith(".fix")
    ]
    return sorted(found, key=lambda script: script.number)


def find(names: Sequence[str]) -> list[Script]:
    """The scripts that are named, in this order: by name, by numbers (101, 2xx), `all`, or a file's path.

    Raises ScriptError.
    """
    shipped = scripts()
    found: list[Script] = []
    for name in names:
        by_name = [script for script in shipped if script.name == name]
        if name.endswith(".fix"):
            found.append(_read(Path(name)))
        elif by_name or name == "all":
            found += by_name or shipped
        elif name[:1].isdigit():
            found += choose(shipped, name)
        else:
            known = ", ".join(script.name for script in shipped)
            raise ScriptError(f"no script is called {name!r}; there are {known}")
    return found


def profile(venue: str, client: str, seconds: float, lacking: Sequence[str]) -> Profile:
    """What scripts are played with: two CompIDs, how long a person may take, and what the client lacks."""
    return Profile(
        name=client,
        patience_seconds=seconds,
        connection=Connection(target_comp_id=venue),
        features=FEATURES - set(lacking),
        roles={VENUE: Role(comp_id=client, dialect="extended")},
        instruments={},
    )


class Door:
    """Where clients connect: a listening socket. Each is waited for at most `seconds`."""

    def __init__(self, host: str, port: int, seconds: float) -> None:
        self._seconds = seconds
        self._listener = socket.create_server((host, port))
        self._first: socket.socket | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._listener.getsockname()[1])

    def greeting(self) -> tuple[str, str]:
        """SenderCompID(49) and TargetCompID(56) of the first Logon(A), which stays to be read.

        Raises OSError when none comes.
        """
        deadline = time.monotonic() + self._seconds
        while True:
            line = self.connect(VENUE)
            found = _names_in(line)
            if found is not None:
                self._first = line
                return found
            line.close()
            if time.monotonic() > deadline:
                raise TimeoutError("a client connected, and sent no Logon(A)")

    def connect(self, _role: str) -> socket.socket:
        """The next connection on which something has come. Raises OSError."""
        if self._first is not None:
            line, self._first = self._first, None
            return line
        deadline = time.monotonic() + self._seconds
        while True:
            self._listener.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                line, _ = self._listener.accept()
            except TimeoutError:
                raise TimeoutError(f"nobody connected within {self._seconds:g} s") from None
            if _speaks(line, deadline):
                return line
            line.close()  # came and went, or says nothing

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()
        if self._first is not None:
            self._first.close()


def _speaks(line: socket.socket, deadline: float) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(line, selectors.EVENT_READ)
        if not selector.select(max(0.0, deadline - time.monotonic())):
            return False
    try:
        return bool(line.recv(1, socket.MSG_PEEK))
    except OSError:
        return False


def _names_in(line: socket.socket) -> tuple[str, str] | None:
    """Who greets whom in a Logon(A) that is not read yet; None if none comes."""
    deadline = time.monotonic() + _LOGON_SECONDS
    while time.monotonic() < deadline:
        seen = line.recv(_PEEK_BYTES, socket.MSG_PEEK)
        found = _NAMES.match(seen)
        if found:
            return found[1].decode("ascii", "replace"), found[2].decode("ascii", "replace")
        if not seen:
            return None
        time.sleep(_PEEK_SECONDS)
    return None


def _read(path: Path) -> Script:
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path}: {error}") from None
