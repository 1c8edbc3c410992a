"""`fixgw send` against a real gateway and against the peer."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from fixgw import certificates
from tests.gateway import ROOT, Gateway, free_port, until, write_config
from tests.peer.run import Peer
from tests.wire import cancel, mass, order

SECONDS = 60.0  # for a call; it takes about one

Send = Callable[..., subprocess.CompletedProcess[str]]


def command(port: int, *words: str, name: str = "TRADER37") -> list[str]:
    """A call to whoever listens on the port."""
    return [sys.executable, "-m", "fixgw", "send", "--to", f"localhost:{port}", "--as", name, *words]


def environment(state: Path, password: str) -> dict[str, str]:
    """That of a call that keeps its numbers in `state`."""
    return {**os.environ, "XDG_STATE_HOME": str(state), "FIXGW_PASSWORD": password}


@pytest.fixture(scope="module")
def send(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Send:
    """Calls to the gateway of this file as TRADER39, whose session is nobody else's; numbers are kept."""
    kept = tmp_path_factory.mktemp("state")

    def call(
        *words: str, name: str = "TRADER39", password: str | None = None, typed: str = "", state: Path = kept
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(gateway.port, *words, name=name),
            env=environment(state, f"{name.lower()}-demo" if password is None else password),
            input=typed,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    return call


def test_an_order_is_entered_and_canceled(send: Send) -> None:
    """In two calls: the second one goes on with the sequence, and finds out what the order is."""
    first = send("35=D|11=a1|55=BTC-USD|54=1|38=10|44=100")
    assert first.returncode == 0, first
    assert "-> NewOrderSingle(D) " in first.stdout
    assert "<- ExecutionReport(8) " in first.stdout
    assert "OrdType=LIMIT" in first.stdout
    second = send("35=F|41=a1")
    assert second.returncode == 0, second
    assert "ExecType=CANCELED" in second.stdout
    assert "ResetSeqNumFlag" not in second.stdout
    assert "trader39-demo" not in first.stdout + first.stderr


def test_a_mass_cancel_is_done_when_every_order_is(send: Send) -> None:
    """A script of several messages with names, from stdin; then the r and its reports."""
    typed = "# two orders\n35=D|11={new one}|55=BTC-USD|54=1|38=1|44=5\n35=D|55=ETH-USD|54=2|38=1|44=5\n"
    found = send("--file", "-", typed=f"{typed}35=H|11={{one}}\n35=q|530=7\n35=AF\n")
    assert found.returncode == 0, found
    assert "TotalAffectedOrders=2" in found.stdout
    assert found.stdout.count("ExecType=CANCELED") == 2
    assert found.stdout.index("LastRptRequested=Y") < found.stdout.index("-> Logout(5)")


def test_a_refusal_is_exit_code_1(send: Send) -> None:
    """Of the request as a whole, and of one order of a mass cancel; what follows is sent all the same."""
    refused = send("35=q|530=7|1=14", "35=AF")
    assert refused.returncode == 1
    assert "(errorcode 20)" in refused.stdout
    assert "LastRptRequested=Y" in refused.stdout


def test_what_is_wrong_is_not_sent(send: Send) -> None:
    """Exit code 2, with what to do; --as-is sends it, and the gateway rejects it."""
    wrong = send("35=q|530=9")
    assert (wrong.returncode, "MassCancelRequestType(530)=9" in wrong.stderr) == (2, True)
    assert "-> OrderMassCancelRequest(q)" not in wrong.stdout
    assert send("35=q").returncode == 2
    as_is = send("35=q|11=x|530=9|60=20261121-12:00:00.000", "--as-is")
    assert (as_is.returncode, "<- Reject(3) " in as_is.stdout) == (1, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("35=AF", "--password-from", "trader37-demo"), "a password is not said on the command line"),
        (("35=AF", "--password-from", "env:NO_SUCH_VARIABLE"), "NO_SUCH_VARIABLE is empty or missing"),
        (("35=AF", "--to", "127.0.0.1"), "127.0.0.1 is not HOST:PORT"),
        (("35=AF", "--to", "127.0.0.1:1"), "no connection to 127.0.0.1:1"),
        (("35=AF", "--as", ""), "say who sends"),
        (("--file", "/no/such"), "cannot read /no/such"),
        ((), "nothing to send"),
        (("AF",), "'AF' is no field"),
    ],
)
def test_what_cannot_be_is_exit_code_2(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    """With what to do about it."""
    found = subprocess.run(
        command(1, *words), env=environment(tmp_path, "x"), capture_output=True, text=True, check=False
    )
    assert (found.returncode, says in found.stderr) == (2, True), found


def test_a_wrong_password_costs_nothing(send: Send, tmp_path: Path) -> None:
    """The next call, with the right one from a file, goes on."""
    wrong = send("35=AF", password="wrong")
    assert (wrong.returncode, "the Logon is refused: Logon refused" in wrong.stderr) == (2, True), wrong
    (tmp_path / "password").write_text("trader39-demo\n")
    assert send("35=AF", "--password-from", f"file:{tmp_path}/password", password="").returncode == 0
    assert send("35=AF", password="").returncode == 2


def test_a_clients_session_is_left_as_it_was(send: Send, gateway: Gateway) -> None:
    """Who has not used the session before is refused, and the client goes on where it was."""
    client = gateway.client("TRADER37")
    client.send("D", *order("c1"))
    client.expect("8|150=0|11=c1")
    client.logout()
    found = send("35=AF", name="TRADER37")
    assert (found.returncode, "if it is a client's, leave it alone" in found.stderr) == (2, True), found
    assert client.logon().type == "A"
    client.send("F", *cancel("c2", "c1"))
    client.expect("8|150=4|11=c2")
    client.logout()


def test_a_reset_begins_anew_with_what_was_not_told(send: Send, gateway: Gateway, tmp_path: Path) -> None:
    """It has to be asked for; the gateway tells once more what nobody has fetched."""
    entered = send("35=D|11=r1|55=BTC-USD|54=1|38=10|44=100", name="TRADER38", state=tmp_path / "one")
    assert entered.returncode == 0, entered
    operator = gateway.ready("OPERATOR1")
    operator.send("q", *mass("k1"))
    operator.expect("r|533=1")
    operator.drain()
    found = send("35=1", "--reset", name="TRADER38", state=tmp_path / "other")
    assert found.returncode == 0, found
    assert "what this session was not told yet may be lost" in found.stderr
    assert "PossResend=YES" in found.stdout
    assert "ClOrdID=r1" in found.stdout


def test_a_kill_costs_a_gap_and_no_session(send: Send, gateway: Gateway, tmp_path: Path) -> None:
    """The next call's numbers are too high, which a gap fill mends."""
    watching = subprocess.Popen(
        command(gateway.port, "35=AF", "--watch", "--reset", name="READER50"),
        env=environment(tmp_path, "reader50-demo"),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    while "LastRptRequested=Y" not in watching.stdout.readline():
        assert watching.poll() is None
    again = partial(send, "35=AF", name="READER50", state=tmp_path)
    assert "another `fixgw send` uses this session" in again().stderr
    watching.kill()
    watching.wait()
    watching.stdout.close()
    until(lambda: again().returncode == 0)


def test_who_watches_is_told_of_everything_until_sigint(gateway: Gateway, tmp_path: Path) -> None:
    """An unsolicited cancel comes while nobody asked for anything; then the session ends well."""
    watching = subprocess.Popen(
        command(
            gateway.port, "35=D|11=w1|55=BTC-USD|54=1|38=10|44=100", "--watch", "--reset", name="TRADER38"
        ),
        env=environment(tmp_path, "trader38-demo"),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    while "ExecType=NEW" not in watching.stdout.readline():
        assert watching.poll() is None
    operator = gateway.ready("OPERATOR1")
    operator.send("q", *mass("k2"))
    while "not at the request of this session" not in watching.stdout.readline():
        assert watching.poll() is None
    operator.drain()
    watching.send_signal(signal.SIGINT)
    assert "<- Logout(5)" in watching.stdout.read()
    watching.stdout.close()
    assert watching.wait(SECONDS) == 0


def test_tls_with_a_certificate_of_the_client(tmp_path: Path) -> None:
    """The gateway's certificate is checked, and the client's is shown; without either there is no session."""
    made = tmp_path / "certificates"
    certificates.make(made, [], ["TRADER37"], datetime.now(UTC))
    config = write_config(
        tmp_path / "config",
        ('certificate = ""\nkey = ""', f'certificate = "{made}/server.pem"\nkey = "{made}/server.key"'),
        ('client_ca = ""', f'client_ca = "{made}/ca.pem"'),
        ('client_certificates = "optional"', 'client_certificates = "required"'),
    )
    own = ("--certificate", f"{made}/client-TRADER37.pem", "--key", f"{made}/client-TRADER37.key")

    def call(*words: str) -> int:
        env = environment(tmp_path / "state", "trader37-demo")
        found = command(gateway.port, "35=AF", "--seconds", "5", *words)
        return subprocess.run(found, env=env, capture_output=True, timeout=SECONDS, check=False).returncode

    with Gateway(tmp_path / "data", config) as gateway:
        assert call("--ca", f"{made}/ca.pem", *own) == 0
        assert call("--tls", *own) == 2
        assert call("--ca", f"{made}/ca.pem") == 2
        assert call() == 2


def test_a_venue_that_is_not_fixgw(tmp_path: Path) -> None:
    """No password; a request that it takes, one that it does not know, and one that it never answers."""
    with Peer(tmp_path) as peer:

        def call(*words: str) -> subprocess.CompletedProcess[str]:
            said = command(peer.port, *words, "--target", "PEER", "--password-from", "none", name="TRADER")
            env = environment(tmp_path / "state", "")
            return subprocess.run(
                said, env=env, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=ROOT
            )

        entered = call("35=D|11=p1|55=BTC-USD|54=1|38=10|44=100", "35=F|41=p1")
        assert entered.returncode == 0, entered
        unsupported = call("35=q|530=7")
        assert (unsupported.returncode, "BusinessRejectReason=3" in unsupported.stdout) == (1, False), (
            unsupported
        )
        assert "BusinessMessageReject(j)" in unsupported.stdout
        silent = call("35=F|41=zz|55=BTC-USD|54=1|38=1", "--seconds", "2")
        assert (silent.returncode, "no complete answer within 2 s" in silent.stderr) == (2, True), silent


def test_nobody_listens(tmp_path: Path) -> None:
    """Exit code 2."""
    found = subprocess.run(
        command(free_port(), "35=AF"), env=environment(tmp_path, "x"), capture_output=True, check=False
    )
    assert found.returncode == 2
