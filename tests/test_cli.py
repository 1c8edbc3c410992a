"""The command line as a person uses it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from tests.gateway import ROOT, Gateway, write_config
from tests.wire import cancel, mass, order


def fixgw(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run `fixgw` with these arguments."""
    command = [sys.executable, "-m", "fixgw", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, cwd=ROOT, timeout=60)


def test_check_config_explains_the_reference_configuration() -> None:
    """It says what a configuration means: sessions, users, accounts, permissions, scopes."""
    said = fixgw("check-config")
    assert said.returncode == 0
    for part in (
        "no errors",
        "TRADER38",
        "refused with code 20",
        "everything (Operator)",
        "BTC-PERP",
        "IFXXXP",
    ):
        assert part in said.stdout.replace("\n", " ")


def test_check_config_says_every_error(tmp_path: Path) -> None:
    """Every error by name, at once, with an exit code of its own."""
    path = write_config(tmp_path, ("port = 9878", "port = -1"), ("user = 39\n", "user = 40\n"))
    said = fixgw("check-config", str(path))
    assert said.returncode == 78
    assert "[fix] port" in said.stderr
    assert "[[session]] TRADER39 user: there is no user 40" in said.stderr
    assert "[[api_user]] trader39 user: there is no user 40" in said.stderr
    assert "3 errors" in said.stderr
    assert fixgw("serve", "--config", str(path)).returncode == 78


def test_passwd_makes_a_hash_that_logs_on() -> None:
    """`fixgw passwd` makes an argon2 hash of what it is given, and takes no empty password."""
    said = fixgw("passwd", stdin="open sesame\n")
    assert PasswordHasher().verify(said.stdout.strip(), "open sesame")
    assert fixgw("passwd", stdin="\n").returncode == 1


def test_decode_shows_names_and_hides_passwords() -> None:
    """`fixgw decode` prints a message with field and enum names; other lines go through."""
    raw = "8=FIX.4.4|9=5|35=A|49=T|56=G|34=1|108=30|553=me|554=hunter2|10=000|"
    said = fixgw("decode", "--short", stdin=f"hello\n{raw}\n")
    assert said.stdout.splitlines()[0] == "hello"
    assert "Logon(A)" in said.stdout
    assert "hunter2" not in said.stdout
    assert "HeartBtInt" in fixgw("decode", raw).stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_stops_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    """Exit code 0, a Logout to every client, journal closed."""
    gateway = Gateway(tmp_path / "data").start()
    trader = gateway.client("TRADER37")
    assert gateway.process is not None
    gateway.process.send_signal(number)
    while (message := trader.receive()).type != "5":
        pass
    assert "stopping" in message[58]
    trader.send("5")
    assert gateway.process.wait(15) == 0
    gateway.stop()
    assert not (tmp_path / "data" / "journal.db-wal").exists()


def test_two_gateways_do_not_share_a_directory_or_a_port(tmp_path: Path) -> None:
    """The second one says what is taken, and the first goes on."""
    with Gateway(tmp_path / "data") as gateway:
        same_data = fixgw("serve", "--data", str(gateway.data), "--fix-port", "1", "--no-api")
        assert (same_data.returncode, "another gateway runs on" in same_data.stderr) == (69, True)
        other = fixgw("serve", "--data", str(tmp_path / "other"), "--fix-port", str(gateway.port), "--no-api")
        assert (other.returncode, str(gateway.port) in other.stderr) == (69, True)
        gateway.client("TRADER37").quiet()


def test_the_sandbox_does_as_it_is_told(tmp_path: Path) -> None:
    """Fill, hold, release, refuse and trigger: too late, already pending and partial success can be shown."""
    with Gateway(tmp_path / "data") as gateway:
        trader = gateway.client("TRADER37")
        data = ("--data", str(gateway.data))
        trader.send("D", *order("a1"))
        trader.send("D", *order("a2"))
        trader.send("D", *order("a3", (40, "4"), (99, "90")))
        first, second, stop = (trader.next()[37] for _ in range(3))

        assert fixgw("sandbox", "fill", first, "4", *data).stdout == "done\n"
        assert trader.next()[39] == "1"
        assert fixgw("sandbox", "trigger", stop, *data).returncode == 0
        assert (trader.next()[636]) == "Y"
        assert fixgw("sandbox", "refuse", second, "not now", *data).returncode == 0
        trader.send("q", *mass("m1"))
        assert trader.next()[533] == "3"
        ends = {report[41]: report for report in (trader.next() for _ in range(3))}
        assert {name: end.type for name, end in ends.items()} == {"a1": "8", "a2": "9", "a3": "8"}
        assert "not now" in ends["a2"][58]

        assert fixgw("sandbox", "hold", *data).returncode == 0
        trader.send("F", *cancel("c1", "a2"))
        assert trader.next()[150] == "6"
        trader.send("F", *cancel("c2", "a2"))
        assert trader.next()[102] == "3"
        assert fixgw("sandbox", "fill", second, "10", "--price", "99.5", *data).returncode == 0
        assert (trader.next()[39], trader.next()[102]) == ("2", "0")
        assert fixgw("sandbox", "release", *data).returncode == 0

        unknown = fixgw("sandbox", "fill", "999", "1", *data)
        assert (unknown.returncode, "order 999 is unknown" in unknown.stderr) == (1, True)
        assert "not a positive number" in fixgw("sandbox", "fill", first, "nan", *data).stderr
    gone = fixgw("sandbox", "hold", *data)
    assert (gone.returncode, "no gateway answers" in gone.stderr) == (1, True)
