"""Log lines: one for each request, with its decision; no password ever; a log that fails stops nothing."""

import io
import json
from pathlib import Path

import structlog

from fixgw.logs import configure
from tests.gateway import Gateway
from tests.wire import Client, cancel, order


def lines(gateway: Gateway, wanted: str, count: int = 1) -> list[dict[str, object]]:
    """The log lines that contain `wanted`, `count` at least, read as JSON."""
    return [json.loads(line) for line in gateway.log_lines(wanted, count)]


def test_each_request_has_one_line(tmp_path: Path) -> None:
    """One event per request: session, ids, decision, the rule that decided, the error code, the duration."""
    with Gateway(tmp_path / "data") as gateway:
        trader = gateway.client("TRADER37")
        trader.send("D", *order("a1"))
        trader.next()
        trader.send("F", *cancel("c1", "no-such"))
        trader.next()
        entered, refused = lines(gateway, '"event":"request"', 2)
    assert {
        key: entered[key] for key in ("session", "msg_type", "cl_ord_id", "decision", "rule", "user")
    } == {
        "session": "TRADER37",
        "msg_type": "D",
        "cl_ord_id": "a1",
        "decision": "accepted",
        "rule": "own-account",
        "user": 37,
    }
    assert (refused["decision"], refused["errorcode"], refused["rule"]) == ("refused", 104, "unknown-order")
    assert isinstance(refused["micros"], int)


def test_no_password_is_ever_logged(tmp_path: Path) -> None:
    """Neither a right nor a wrong password, at no log level."""
    with Gateway(tmp_path / "data") as gateway:
        gateway.client("TRADER37")
        wrong = Client(gateway.port, "TRADER38", password="wrong-secret")
        assert wrong.logon(reset=True).type == "5"
        wrong.close()
        assert lines(gateway, "wrong password")[0]["session"] == "TRADER38"
    written = gateway.log.read_text()
    assert "wrong-secret" not in written
    assert "trader37-demo" not in written


def test_a_raw_message_loses_its_password_on_the_way_to_the_log() -> None:
    """Username and password fields are redacted in whatever value they stand."""
    file = io.StringIO()
    buffer = configure("json", "info", file)
    structlog.get_logger("test").info("logon", raw="8=FIX.4.4\x0135=A\x01553=me\x01554=hunter2\x01")
    buffer.flush()
    assert "hunter2" not in file.getvalue()
    assert json.loads(file.getvalue())["event"] == "logon"


def test_what_cannot_be_encoded_is_written_all_the_same() -> None:
    """Bytes of a peer that are no text must not stop a log line, and with it the gateway."""
    file = io.StringIO()
    buffer = configure("json", "info", file)
    structlog.get_logger("test").info("odd", said="\udcff")
    buffer.flush()
    assert "udcff" in json.loads(file.getvalue())["said"]


def test_a_log_that_cannot_be_written_counts_what_it_lost() -> None:
    """The journal is the record: a full disk under the log must not stop a cancel; later it is said."""

    class Disk(io.StringIO):
        is_full = True

        def write(self, text: str) -> int:
            if self.is_full:
                raise OSError("no space left on device")
            return super().write(text)

    file = Disk()
    buffer = configure("json", "info", file)
    buffer.requests([{"event": "request"}, {"event": "request"}])
    buffer.flush()
    assert buffer.lost == 2
    file.is_full = False
    for _ in range(3):
        buffer.requests([{"event": "request"}])
        buffer.flush()
    said = [json.loads(line) for line in file.getvalue().splitlines()]
    assert [line["event"] for line in said] == ["request", "lines lost", "request", "request"]
    assert said[1]["count"] == 2
