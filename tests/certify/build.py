"""What the tests of the certification kit are made of: a profile, a script, both ends of a connection."""

import socket
from collections.abc import Mapping
from typing import Any

from fixgw.certify.grammar import Script
from fixgw.certify.message import Message, Pairs
from fixgw.certify.parser import parse
from fixgw.certify.profile import Profile

PATIENCE_SECONDS = 10.0
HEADER = "title: a title\nrule: a rule\n"


def script(*steps: str, header: str = "", number: int = 901) -> Script:
    """A script with these steps."""
    return parse(HEADER + header + "\n".join(steps), f"desk/{number}-of-a-test.fix")


def profile(patience: float = PATIENCE_SECONDS, **changes: Any) -> Profile:
    """A profile with TRADER and his CLIENT side, two instruments and two controls."""
    tables: dict[str, Any] = {
        "name": "a <venue>",
        "patience_seconds": patience,
        "connection": {"target_comp_id": "VENUE"},
        "features": ["mass-cancel"],
        "roles": {
            "TRADER": {"comp_id": "T1", "username": "t1", "password": "secret-t1", "user": "37"},
            "OTHER": {"comp_id": "T2"},
        },
        "instruments": {
            "A": {"fields": "55=BTC-USD", "symbol": "BTC-USD", "cfi": "IFXXXP"},
            "B": {"fields": "48=26|22=8"},
        },
        "accounts": {"OWN": "15"},
        "controls": {"hold": ["true"], "release": ["true"]},
        "restore": {"hold": "release"},
    }
    return Profile.model_validate({**tables, **changes})


def message(text: str) -> Message:
    """A message from its fields, as "35=8|37=1"."""
    fields = [field.partition("=") for field in text.split("|")]
    pairs = tuple((int(tag), value) for tag, _, value in fields)
    return Message(pairs, "".join(f"{tag}={value}\x01" for tag, value in pairs))


def text_of(pairs: Pairs) -> str:
    """Fields as a script has them."""
    return "|".join(f"{tag}={value}" for tag, value in pairs)


class Ends:
    """Connects roles to one another: TRADER's other end is CLIENT's."""

    def __init__(self) -> None:
        self._waiting: list[socket.socket] = []

    def connect(self, _: str) -> socket.socket:
        """One end of a connection; who connects next has the other."""
        if self._waiting:
            return self._waiting.pop()
        one, other = socket.socketpair()
        self._waiting.append(other)
        return one

    def close(self) -> None:
        """Close the end that nobody has taken."""
        for left in self._waiting:
            left.close()


def no_control(name: str, arguments: Mapping[str, str]) -> None:
    """A venue that does whatever it is told."""
    assert name
    assert arguments is not None
