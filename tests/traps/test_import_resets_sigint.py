"""SIGINT after `import quickfix`, and what else QuickFIX does without a word."""

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from fixgw.fix import settings
from tests.gateway import ROOT, Gateway, free_port, write_config
from tests.traps.bare import LOGON, Bare
from tests.wire import Client, order

PASSWORD = "s3cret-of-trader37"
DEFAULT = "[DEFAULT]\n"


def test_bare_a_handler_set_before_the_import_is_gone() -> None:
    """Trap: the import sets SIGINT to its default behind Python's back, and the process dies of it."""
    with Bare("bare_sigint") as bare:
        bare.process.send_signal(signal.SIGINT)
        assert bare.ended() == -signal.SIGINT


def test_bare_an_acceptor_that_nobody_refers_to_ends_the_process() -> None:
    """Trap: deleting an acceptor that was not stopped frees what its thread works on."""
    with Bare("bare_deleting") as bare:
        client = bare.client("TRADER37")
        client.send("A", *LOGON)
        code = bare.ended()
        assert code is not None
        assert code < 0


def test_an_acceptor_that_was_made_but_never_opened_ends_well(clean_gateway: Gateway, tmp_path: Path) -> None:
    """Cure: the acceptor is kept as long as the process lives, also when the port turns out to be taken."""
    found = serve(clean_gateway.config, tmp_path / "data", clean_gateway.port)
    assert found.returncode == 69
    assert f"port {clean_gateway.port}" in found.stderr


def test_bare_unknown_settings_are_ignored() -> None:
    """Trap: a misspelt setting is taken without a word, and does nothing."""
    with Bare("bare_acceptor", "ours", "poll", "ResetOnLogn=Y", "AllowedRemoteAdresses=10.1.2.3") as bare:
        client = bare.client("TRADER37")
        client.send("A", *LOGON)
        assert client.receive().type == "A"


@pytest.mark.parametrize(
    "line",
    [
        "ResetOnLogn=Y",
        "AllowedRemoteAdresses=127.0.0.1",
        "HttpAcceptPort=9911",
        "FileLogPath=log",
        "SSLProtocol=all",
        "StartTime=00:00:00",
        "LogonTimeout=10",
    ],
)
@pytest.mark.parametrize("section", ["[DEFAULT]\n", "[SESSION]\nTargetCompID=TRADER38\n"])
def test_unknown_settings_are_refused_by_name(tmp_path: Path, section: str, line: str) -> None:
    """Cure: a setting that we do not know is a mistake in the file."""
    write_config(tmp_path, cfg=((section, f"{section}{line}\n"),))
    _, problems = settings.read(tmp_path / "quickfix.cfg")
    assert [line.partition("=")[0] in problem for problem in problems] == [True]


def test_the_gateway_does_not_start_with_one(tmp_path: Path) -> None:
    """Cure: `fixgw serve` names every one of them and does not start."""
    config = write_config(tmp_path, cfg=((DEFAULT, f"{DEFAULT}ResetOnLogn=Y\nHttpAcceptPort=9911\n"),))
    found = serve(config, tmp_path / "data", free_port())
    assert found.returncode == 78
    assert "ResetOnLogn" in found.stderr
    assert "HttpAcceptPort" in found.stderr
    assert not (tmp_path / "data").exists()


def test_bare_http_accept_port_opens_an_admin_page_without_a_password() -> None:
    """Trap: anybody who reaches the page can reset a session."""
    port = free_port()
    with Bare("bare_acceptor", "ours", "start", f"HttpAcceptPort={port}"):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
            found = page.read().decode()
        assert "TRADER37" in found


def test_bare_a_file_log_holds_passwords() -> None:
    """Trap: QuickFIX's FileLog writes every message as it is."""
    with Bare("bare_logging") as bare:
        client = bare.client("TRADER37")
        client.send("A", *LOGON, (553, "TRADER37"), (554, PASSWORD))
        client.receive()
        assert files_with(PASSWORD, bare.directory)


def test_the_gateway_stops_on_sigint_and_wrote_no_password_anywhere(tmp_path: Path) -> None:
    """Cure: its handlers are installed after the import; QuickFIX has no log, and ours holds no password."""
    with Gateway(tmp_path / "data") as gateway:
        client = gateway.client("TRADER37")
        client.send("D", *order("x", (58, f"554={PASSWORD}")))
        client.send("j", (45, 1), (372, "8"), (380, 0), (58, f"8=FIX.4.4|554={PASSWORD}|"))
        client.logout()
        wrong = Client(gateway.port, "TRADER38", password=PASSWORD)
        assert wrong.logon().type == "5"
        wrong.close()
        assert gateway.log_lines("wrong password")
        assert gateway.stop(signal.SIGINT) == 0
        assert gateway.log_lines('"event":"stopped"')
    assert not files_with("trader37-demo", tmp_path)
    assert PASSWORD not in gateway.log.read_text()


def test_no_source_gives_quickfix_a_log() -> None:
    """Cure: neither its own logs, nor one in Python, which corrupts the heap."""
    for source in (ROOT / "src").rglob("*.py"):
        assert "LogFactory" not in source.read_text(), source


def serve(config: Path, data: Path, port: int) -> subprocess.CompletedProcess[str]:
    """`fixgw serve` that is expected to end by itself."""
    command = [sys.executable, "-m", "fixgw", "serve", "--config", str(config), "--data", str(data)]
    command += ["--fix-port", str(port), "--no-api"]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=ROOT, check=False)


def files_with(text: str, directory: Path) -> list[Path]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return [path for path in files if text.encode() in path.read_bytes()]
