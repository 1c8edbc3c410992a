"""`fixgw certify-client` against a real QuickFIX initiator, as it should be and with one fault at a time."""

import os
import re
import signal
import socket
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from threading import Timer
from typing import Any, NamedTuple

import pytest
from typer.main import get_command

from fixgw import cli
from fixgw.certify.client import FEATURES, VENUE, Door, find, scripts
from fixgw.certify.parser import ScriptError
from tests.gateway import ROOT, free_port
from tests.peer.initiator import FAULTS

SECONDS = 300.0  # for a conversation; it takes a few, that of all scripts half a minute


class Certified(NamedTuple):
    """How a certification ended: the exit code, and what stood on the terminal."""

    code: int
    said: str


def certify(directory: Path, *words: str, fault: str = "", port: int | None = None) -> Certified:
    """Certify an initiator, which does what it is asked for on the terminal."""
    port = port or free_port()
    command = [sys.executable, "-m", "fixgw", "certify-client", "--listen", str(port), *words]
    env = {**os.environ, "XDG_STATE_HOME": str(directory / "state")}
    kit = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
    assert kit.stdout is not None
    said = kit.stdout.readline()
    assert "listens on" in said, said + kit.stdout.read()
    desk = subprocess.Popen(
        [sys.executable, "-m", "tests.peer.initiator", str(port), str(directory), fault],
        stdin=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert desk.stdin is not None
    watchdog = Timer(SECONDS, kit.kill)
    watchdog.start()
    try:
        for line in kit.stdout:
            said += line
            desk.stdin.write(line)
            desk.stdin.flush()
        return Certified(kit.wait(SECONDS), said)
    finally:
        watchdog.cancel()
        desk.stdin.close()
        for process in (desk, kit):
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        kit.stdout.close()


@pytest.mark.certify
def test_a_good_engine_passes_every_script(tmp_path: Path) -> None:
    """All of them on one session, whose numbers go on from script to script; with all three reports."""
    reports = ("--junit", str(tmp_path / "r.xml"), "--html", str(tmp_path / "r.html"))
    found = certify(tmp_path, "--script", "all", "--seconds", "30", *reports)
    assert found.code == 0, found.said
    count = len(scripts())
    assert f"{count} scenarios" in found.said
    assert f"{count} passed, 0 failed" in found.said
    suite = ET.parse(tmp_path / "r.xml").getroot().find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == (str(count), "0")
    assert "Certification of DESK" in (tmp_path / "r.html").read_text()


FAULTY = [
    ("same-id", "order-and-cancel", r"ClOrdID\(11\) is \S+, not /\(\?!"),
    ("quantity", "order-and-cancel", r"OrderQty\(38\) is 10, not 100"),
    ("rest-quantity", "part-filled-order", r"OrderQty\(38\) is 60, not 100"),
    ("rejected-chain", "cancel-is-rejected", r"OrigClOrdID\(41\) is \S+, not \S+, in"),
    ("repeats", "filled-before-the-cancel", r"nothing more was expected, and this came: .*\|35=F\|"),
    ("believes-r", "mass-cancel-in-part", r"nothing came within 8 s; expected was 35=F\|"),
    ("resets", "logout-and-return", r"ResetSeqNumFlag\(141\) is Y and must be absent"),
    ("resets", "disconnect-and-return", r"nothing came within 8 s; expected was 35=2\|"),
    ("forgets", "resend", r"NewSeqNo\(36\) is \d+, not \d+"),
]


@pytest.mark.parametrize(
    ("fault", "script", "why"),
    [
        pytest.param(*row, marks=pytest.mark.certify if number > 1 else ())
        for number, row in enumerate(FAULTY)
    ],
)
def test_an_engine_with_a_fault_fails(tmp_path: Path, fault: str, script: str, why: str) -> None:
    """At the step that shows it, with what was expected and what came."""
    assert fault in FAULTS
    found = certify(tmp_path, "--script", script, "--seconds", "8", fault=fault)
    assert found.code == 1, found.said
    assert "0 passed, 1 failed" in found.said
    assert re.search(why, found.said), found.said


def test_every_fault_is_tried() -> None:
    """None is there that no test shows."""
    assert {fault for fault, _, _ in FAULTY} == FAULTS.keys()


@pytest.mark.certify
def test_the_numbers_go_on_from_run_to_run(tmp_path: Path) -> None:
    """A client's store need not be emptied; --reset is for one whose was."""
    port = free_port()
    for _ in range(2):
        found = certify(tmp_path, "--script", "401", "--seconds", "20", port=port)
        assert found.code == 0, found.said
    for file in (tmp_path / "store").iterdir():
        file.unlink()
    assert (
        "expected, and PossDupFlag(43) is not Y"
        in certify(tmp_path, "--script", "401", "--seconds", "20", port=port).said
    )
    for file in (tmp_path / "store").iterdir():
        file.unlink()
    again = certify(tmp_path, "--script", "401", "--seconds", "20", "--reset", port=port)
    assert again.code == 0, again.said


def test_what_a_client_lacks_is_not_applicable(tmp_path: Path) -> None:
    """It is neither passed nor failed."""
    found = certify(tmp_path, "--script", "201,401", "--without", "mass-cancel", "--seconds", "20")
    assert found.code == 0, found.said
    assert "the profile does not offer mass-cancel" in found.said
    assert "1 passed, 0 failed, 1 not applicable" in found.said


def test_nobody_comes() -> None:
    """Exit code 2, as for a script that is not there."""
    wrong = (("--script", "no-such"), (), ("--script", "401", "--without", "mass-canel"))
    for words in (("--script", "401", "--seconds", "0.2"), *wrong):
        command = [sys.executable, "-m", "fixgw", "certify-client", "--listen", str(free_port()), *words]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 2


def test_scripts_are_found_by_name_number_and_file(tmp_path: Path) -> None:
    """In the order in which they are named."""
    (tmp_path / "901-own.fix").write_text("title: x\nrule: y\nlogon VENUE\n")
    found = find([str(tmp_path / "901-own.fix"), "heartbeat", "20x,401"])
    assert [script.number for script in found] == [901, 402, 201, 202, 203, 204, 401]
    assert find(["all"]) == scripts()
    for wrong in ("nothing", "999", str(tmp_path / "902-none.fix")):
        with pytest.raises(ScriptError):
            find([wrong])


def test_the_page_has_every_script_and_flag() -> None:
    """The table of docs/certification.md, and the flags of the command."""
    page = (ROOT / "docs" / "certification.md").read_text(encoding="utf-8")
    for script in scripts():
        needs = ", ".join(script.needs)
        assert f"\n| {script.number} | `{script.name}` | {script.title} | {script.rule} | {needs} |\n" in page
    top: Any = get_command(cli.app)
    flags = {flag for parameter in top.commands["certify-client"].params for flag in parameter.opts}
    own = page.partition("\n## Certifying a client\n")[2].partition("\n## ")[0]
    assert {flag for flag in flags - {"--help"} if f"`{flag}" not in own} == set()


def test_every_script_is_played_by_the_venue_alone() -> None:
    """And asks for nothing but what a client may lack."""
    for script in scripts():
        assert script.roles == (VENUE,), script.path
        assert set(script.needs) <= FEATURES, script.path


def test_an_interrupt_ends_it(tmp_path: Path) -> None:
    """While it waits for a client, or for a person."""
    command = [
        sys.executable,
        "-m",
        "fixgw",
        "certify-client",
        "--listen",
        str(free_port()),
        "--script",
        "401",
    ]
    kit = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert kit.stdout is not None
    assert kit.stderr is not None
    kit.stdout.readline()
    kit.send_signal(signal.SIGINT)
    assert kit.wait(SECONDS) == 2
    assert kit.stderr.read() == "fixgw: stopped\n"
    kit.stdout.close()
    kit.stderr.close()


def test_whoever_comes_and_goes_is_not_the_client() -> None:
    """A probe of the port, and half a message: the next connection counts."""
    door = Door("127.0.0.1", 0, 10.0)
    try:
        for sent in (b"", b"8=FIX.4.4\x019=70\x0135=A\x0134=1\x01"):
            with socket.create_connection(("127.0.0.1", door.port)) as probe:
                probe.sendall(sent)
        with socket.create_connection(("127.0.0.1", door.port)) as client:
            client.sendall(b"8=FIX.4.4\x019=70\x0135=A\x0134=1\x0149=DESK\x0152=now\x0156=HERE\x01")
            assert door.greeting() == ("DESK", "HERE")
            with door.connect(VENUE) as line:
                assert line.recv(9) == b"8=FIX.4.4"
    finally:
        door.close()
