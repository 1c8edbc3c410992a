"""The API's process beside the others: its start and stop, its crashes, its configuration, its log."""

import hmac
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from fixgw import certificates
from tests.api.platform.odd_api import COMMAND
from tests.gateway import Gateway, free_port, until, write_config

DEBUG = ('level = "info"', 'level = "debug"')
JSON_LOG = ('format = "auto"', 'format = "json"')


def is_weighing_sessions() -> bool:
    """Whether Linux weighs sessions against each other: autogroup in sched(7)."""
    switch = Path("/proc/sys/kernel/sched_autogroup_enabled")
    return switch.exists() and switch.read_text().strip() == "1"


def odd(directory: Path, how: str, *edits: tuple[str, str]) -> Gateway:
    """A gateway with an API of the tests' own, not yet started."""
    config = write_config(directory / "config", *edits)
    command = (*COMMAND, how)
    return Gateway(directory / "data", config, command=command, api=True)


def get(gateway: Gateway, path: str, **headers: str) -> httpx.Response:
    """What the API answers, as soon as it listens."""
    return httpx.get(f"http://127.0.0.1:{gateway.api_port}{path}", headers=headers, trust_env=False)


def signed(nonce: str, secret: str = "secret37") -> dict[str, str]:
    """The headers of user 37's signature."""
    message = f"{nonce}37key37".encode()
    signature = hmac.digest(secret.encode(), message, "sha256").hex()
    return {"key": "key37", "user": "37", "nonce": nonce, "signature": signature}


def replaced(config: Path, *edits: tuple[str, str]) -> None:
    """Replace parts of a configuration in one step."""
    text = config.read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    new_file = config.with_suffix(".new")
    new_file.write_text(text)
    new_file.replace(config)


def goes_on(request: Callable[[], httpx.Response]) -> httpx.Response:
    """The answer as soon as there is one."""
    answers: list[httpx.Response] = []

    def is_there() -> bool:
        try:
            answers.append(request())
        except httpx.TransportError:
            return False
        return True

    until(is_there)
    return answers[-1]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that the tests of this file share; its log has everything."""
    with odd(tmp_path_factory.mktemp("shared"), "routes", DEBUG) as found:
        yield found


# who it lets in


def test_every_way_of_showing_who_one_is(gateway: Gateway) -> None:
    """By password, key, signature and token; the same in wrong is nobody."""
    right = get(gateway, "/who", username="trader37", password="trader37-demo").json()
    assert (right["who"], right["names"]) == ("trader37", ["trader37", "trader37@example.com"])
    assert get(gateway, "/who", token=right["token"]).json()["who"] == "trader37"
    assert get(gateway, "/who", key="key38").json()["who"] == "trader38"
    assert get(gateway, "/who", **signed(str(time.time_ns()))).json()["who"] == "trader37"
    for wrong in (
        {"username": "trader37", "password": "trader38-demo"},
        {"token": right["token"] + "x"},
        {"key": "key3"},
        signed(str(time.time_ns()), "secret38"),
        {},
    ):
        assert get(gateway, "/who", **wrong).status_code == 401


def test_an_order_reaches_the_engine(gateway: Gateway) -> None:
    """And its user's FIX session is told of it."""
    trader = gateway.client("TRADER37")
    headers = {"key": "key37"}
    found = httpx.post(f"http://127.0.0.1:{gateway.api_port}/order", headers=headers, trust_env=False)
    assert found.json() == {"refused": False}
    assert trader.next()[150] == "0"


def test_no_secret_is_in_the_log(gateway: Gateway) -> None:
    """Nothing of what proves who one is, rightly or wrongly, in a log of everything."""
    nonce = str(time.time_ns())
    token = get(gateway, "/who", key="key37").json()["token"]
    secret = {"trader37-demo", "a-guess", "key37", "key-guessed", "secret37", token}
    secret |= {signed(nonce)["signature"], signed(nonce, "guessed")["signature"]}
    for headers in (
        {"username": "trader37", "password": "trader37-demo"},
        {"username": "trader37", "password": "a-guess"},
        {"key": "key-guessed"},
        {"token": token},
        {"token": f"{token}x"},
        signed(nonce),
        signed(nonce),
        signed(nonce, "guessed"),
    ):
        get(gateway, "/who?key=key-guessed&password=a-guess", **headers)
    assert gateway.log_lines('"why":"its nonce was used, or may have been"')
    assert gateway.log_lines('"why":"wrong key, user or signature"')
    text = gateway.log.read_text()
    assert [word for word in sorted(secret) if word in text] == []
    assert '"why":"wrong username or password"' in text


def test_a_captured_login_is_of_no_use(gateway: Gateway) -> None:
    """Not again, and not after a restart of the API either; the client's next one is."""
    captured = signed(str(time.time_ns() // 10**6))
    assert get(gateway, "/who", **captured).status_code == 200
    assert get(gateway, "/who", **captured).status_code == 401
    old = signed(str(time.time_ns() // 10**6 - 60_000))  # used a minute before the restart
    pid = gateway.api_pid
    gateway.kill_api()
    gateway.until_api_ready(pid)
    assert get(gateway, "/who", **old).status_code == 401
    assert get(gateway, "/who", **signed(str(time.time_ns() // 10**6))).status_code == 200


def test_fix_goes_first_where_cores_are_few(gateway: Gateway) -> None:
    """The kernel gives the API's process less than the engine and the edge."""
    pids = (gateway.engine, gateway.edge, gateway.api_pid)
    engine, edge, api = (os.getpriority(os.PRIO_PROCESS, pid) for pid in pids)
    assert engine == edge < api or api == 19


@pytest.mark.skipif(
    os.geteuid() != 0, reason="others may change it once in a tenth of a second only, together"
)
@pytest.mark.skipif(not is_weighing_sessions(), reason="no sessions are weighed against each other here")
def test_fix_goes_first_where_sessions_are_weighed(gateway: Gateway) -> None:
    """What counts between processes of different sessions is how nice their sessions are."""
    pids = (gateway.engine, gateway.edge, gateway.api_pid)
    engine, edge, api = (int(Path(f"/proc/{pid}/autogroup").read_text().split()[-1]) for pid in pids)
    assert engine == edge < api


# crashes


def test_a_crash_of_the_api_is_nothing_to_fix(gateway: Gateway) -> None:
    """The session stays as it is; the API comes back, with tokens forgotten, on the same port."""
    trader = gateway.client("TRADER38")
    token = get(gateway, "/who", key="key38").json()["token"]
    pid, edge, engine = gateway.api_pid, gateway.edge, gateway.engine
    gateway.kill_api()
    trader.quiet()
    gateway.until_api_ready(pid)
    trader.quiet()
    assert (gateway.edge, gateway.engine) == (edge, engine)
    assert get(gateway, "/who", token=token).status_code == 401
    assert get(gateway, "/who", key="key38").status_code == 200


def test_an_api_that_crashes_for_ever_leaves_fix_alone(tmp_path: Path) -> None:
    """It is given up, with a critical line, and FIX goes on; SIGHUP starts it again."""
    gateway = odd(tmp_path, "crash", ("crashes_max = 5", "crashes_max = 2"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "crash").touch()
    gateway.launch()
    line = gateway.first_line()
    assert line.startswith("fixgw ready: FIX ")
    assert "API" not in line
    assert gateway.log_lines('"event":"api is gone"')
    trader = gateway.client("TRADER37")
    trader.quiet()
    (tmp_path / "data" / "crash").unlink()
    assert gateway.process is not None
    gateway.process.send_signal(1)
    assert goes_on(lambda: get(gateway, "/who", key="key37")).status_code == 200
    trader.quiet()
    assert gateway.stop() == 0


def test_an_api_that_never_starts_leaves_fix_alone(tmp_path: Path) -> None:
    """The gateway is ready without it."""
    with odd(tmp_path, "exit-70", ("crashes_max = 5", "crashes_max = 1")) as gateway:
        gateway.client("TRADER37").quiet()


def test_a_port_that_is_taken_ends_the_start(gateway: Gateway, tmp_path: Path) -> None:
    """With exit code 69 and its name, before anybody is told anything."""
    second = Gateway(tmp_path / "data", api=True)
    second.api_port = gateway.api_port
    second.launch()
    assert second.first_line() == ""
    assert second.ended() == 69
    assert f"cannot open [api] port {gateway.api_port} on 127.0.0.1" in second.log.read_text()


# start and stop


def test_the_ready_line_says_where_the_api_is(tmp_path: Path) -> None:
    """Its address, and that of its documentation, for each port; on one line."""
    other = free_port()
    dialect = ('name = "openalgo"\n', f'name = "openalgo"\nport = {other}\n')
    gateway = Gateway(tmp_path / "data", write_config(tmp_path / "config", dialect), api=True)
    gateway.launch()
    line = gateway.first_line()
    assert line.startswith("fixgw ready: FIX 127.0.0.1:")
    for port in (gateway.api_port, other):
        base = f"http://127.0.0.1:{port}"
        assert f"API {base} (documentation: {base}/docs)" in line
        assert httpx.get(f"{base}/docs", trust_env=False).status_code == 200
    assert gateway.stop() == 0


def test_there_need_not_be_an_api(tmp_path: Path) -> None:
    """Neither with --no-api nor with `enabled = false`."""
    off = ("# Whether the HTTP and WebSocket API is served.\nenabled = true", "enabled = false")
    config = write_config(tmp_path / "config", off)
    without = Gateway(tmp_path / "data", config, api=True)
    without.launch()
    assert "API" not in without.first_line()
    with pytest.raises(httpx.ConnectError):
        get(without, "/docs")
    assert without.stop() == 0
    assert '"api"' not in without.log.read_text()


# a new configuration


def test_a_new_configuration_is_in_force_at_once(tmp_path: Path) -> None:
    """SIGHUP: users by a reload, [api] by a restart of the API alone, and mistakes not at all."""
    with odd(tmp_path, "routes") as gateway:
        trader = gateway.client("TRADER38")
        token = get(gateway, "/who", key="key37").json()["token"]
        other = get(gateway, "/who", key="key38").json()["token"]
        pid, engine = gateway.api_pid, gateway.engine
        assert gateway.process is not None

        (tmp_path / "config" / "secret").write_text("changed\n")
        replaced(gateway.config, ('"key37"', '"file:secret"'))
        gateway.process.send_signal(1)
        until(lambda: get(gateway, "/who", key="changed").status_code == 200)
        assert get(gateway, "/who", key="key37").status_code == 401
        assert get(gateway, "/who", token=token).status_code == 401
        assert get(gateway, "/who", token=other).status_code == 200

        replaced(gateway.config, ('"file:secret"', '"file:missing"'))
        gateway.process.send_signal(1)
        assert gateway.log_lines("cannot read")
        assert get(gateway, "/who", key="changed").status_code == 200
        assert gateway.api_pid == pid

        replaced(
            gateway.config, ('"file:missing"', '"key37"'), ("body_bytes_max = 65536", "body_bytes_max = 4096")
        )
        gateway.process.send_signal(1)
        gateway.until_api_ready(pid)
        assert get(gateway, "/who", key="key37").status_code == 200
        assert gateway.engine == engine
        trader.quiet()


def test_tls_is_that_of_fix(tmp_path: Path) -> None:
    """The same certificate; another one is there for whoever comes after a reload."""
    made = tmp_path / "config" / "tls"
    certificates.make(made, [], [], datetime.now(UTC))
    files = ('certificate = ""\nkey = ""', 'certificate = "tls/server.pem"\nkey = "tls/server.key"')
    with odd(tmp_path, "routes", files) as gateway:
        url = f"https://127.0.0.1:{gateway.api_port}/who"

        def asked() -> httpx.Response:
            context = ssl.create_default_context(cafile=str(made / "ca.pem"))
            return httpx.get(url, headers={"key": "key37"}, verify=context, trust_env=False)

        assert asked().status_code == 200
        with pytest.raises(httpx.TransportError):
            get(gateway, "/who", key="key37")
        for file in made.iterdir():
            file.unlink()
        certificates.make(made, [], [], datetime.now(UTC))
        with pytest.raises(httpx.ConnectError):
            asked()
        assert gateway.process is not None
        gateway.process.send_signal(1)
        assert goes_on(asked).status_code == 200
        assert json.loads(gateway.log_lines('"event":"ready"')[-1])["fix_port"] == gateway.port


def test_it_is_started_by_the_supervisor_only(tmp_path: Path) -> None:
    """By hand it says so."""
    command = [sys.executable, "-m", "fixgw.edge.api", "--config=x", f"--data={tmp_path}", "--api-port=0"]
    found = subprocess.run(command, input="", capture_output=True, text=True, timeout=20, check=False)
    assert found.returncode == 1
    assert "which said nothing" in found.stderr
