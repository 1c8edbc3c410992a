"""What a change of the configuration takes: a reload, a restart of the engine, or a new start of all."""

from pathlib import Path

import pytest

from fixgw.config import load
from fixgw.consequences import Consequence, InForce, changes, kept, read
from tests.gateway import edit_session, write_config

NEW_SESSION = """
[[session]]
comp_id = "TRADER99"
username = "TRADER99"
password_hash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
user = 37
oms = 1

[[oms]]
"""
RELOAD, API, ENGINE, START = Consequence


def in_force(directory: Path, *edits: tuple[str, str], cfg: tuple[tuple[str, str], ...] = ()) -> InForce:
    """The reference configuration with these edits, as it is read."""
    return read(load(write_config(directory, *edits, cfg=cfg)))


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (("hang_seconds = 30", "hang_seconds = 31"), {START: ("[supervisor] hang_seconds",)}),
        (('level = "info"', 'level = "debug"'), {START: ("[log] level",)}),
        (("\nport = 9878", "\nport = 9879"), {START: ("[fix] port",)}),
        (("engine_port = 0", "engine_port = 5"), {START: ("[fix] engine_port",)}),
        (('data = "../data"', 'data = "../other"'), {START: ("[gateway] data",)}),
        (('sync = "full"', 'sync = "normal"'), {ENGINE: ("[journal] sync",)}),
        (('symbol = "BTC-USD"', 'symbol = "BTC-EUR"'), {ENGINE: ("[[instrument]]",)}),
        (("day_end = 00:00:00", "day_end = 01:00:00"), {ENGINE: ("[[oms]]",)}),
        (("reports_per_turn = 500", "reports_per_turn = 5"), {RELOAD: ("[limits] reports_per_turn",)}),
        (("accounts = [14, 15]", "accounts = [14]"), {RELOAD: ("[[user]]",)}),
        (("\nport = 8080", "\nport = 8081"), {API: ("[api] port",)}),
        (("enabled = true", "enabled = false"), {START: ("[api] enabled",)}),
        (('name = "openalgo"', 'name = "openalgo"\npath = "/x"'), {API: ("[[dialect]]",)}),
        (('"secret37"', '"another"'), {RELOAD: ("[[api_user]]",)}),
        (
            edit_session("READER50", 'dialect = "extended"'),
            {RELOAD: ("[[session]] READER50 dialect",)},
        ),
        (
            edit_session("READER50", "reset_at = 01:00:00"),
            {ENGINE: ("[[session]] READER50 reset_at",)},
        ),
    ],
)
def test_every_change_has_its_consequence(
    tmp_path: Path, edit: tuple[str, str], expected: dict[Consequence, tuple[str, ...]]
) -> None:
    """Named as it stands in the file; what is changed in one way only has one consequence."""
    old, new = in_force(tmp_path), in_force(tmp_path, edit)
    assert changes(old, new) == expected
    assert changes(old, old) == {}


def test_a_session_more_or_less_restarts_the_engine(tmp_path: Path) -> None:
    """It stands in both files: QuickFIX makes its sessions at its start."""
    old = in_force(tmp_path)
    cfg = (("TargetCompID=TRADER37\n", "TargetCompID=TRADER37\n\n[SESSION]\nTargetCompID=TRADER99\n"),)
    new = in_force(tmp_path, ("\n[[oms]]\n", NEW_SESSION), cfg=cfg)
    for one, other in ((old, new), (new, old)):
        assert changes(one, other) == {ENGINE: ("[[session]] TRADER99", "quickfix.cfg")}


def test_the_quickfix_settings_are_compared_as_they_were_read(tmp_path: Path) -> None:
    """The file has changed meanwhile; the old settings have not."""
    old = in_force(tmp_path)
    new = in_force(tmp_path, cfg=(("SocketNodelay=Y", "SocketNodelay=N"),))
    assert changes(old, new) == {ENGINE: ("quickfix.cfg",)}


def test_what_needs_a_new_start_stays_as_it_was(tmp_path: Path) -> None:
    """It is said again at each reload, until it is changed back; all else is as in the file."""
    old = in_force(tmp_path)
    new = in_force(tmp_path, ("\nport = 9878", "\nport = 9879"), ('sync = "full"', 'sync = "normal"'))
    assert changes(old, new) == {START: ("[fix] port",), ENGINE: ("[journal] sync",)}
    assert changes(kept(old, new), new) == {START: ("[fix] port",)}
    assert changes(kept(old, new), in_force(tmp_path)) == {ENGINE: ("[journal] sync",)}
