"""The link: frames on a Unix socket, bounded, and nobody else's."""

import contextlib
import socket
import stat
import struct
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from fixgw import link
from fixgw.core.directory import OmsName
from fixgw.core.requests import CancelOrder, FillOrder, OrderAnswer, OrderHistory, TriggerOrder
from fixgw.core.scope import Scope, ScopeType
from fixgw.engine.loop import ASKED_BESIDE_FIX, ASKED_NEAR_FIX
from fixgw.engine.sandbox import FindVenue, HoldCancels, LoseVenue, RefuseCancel, ReleaseCancels
from fixgw.engine.turn import Answered, Ask, DisableSession, EdgeReport, EdgeSession, Status, WatchOrders
from fixgw.engine.venue_asks import WORDS_MAX, CancelOrders, ServeVenues, VenueSaid
from fixgw.link import ASKED_PER_TURN, FRAME_MAX, Asked, LinkError, LinkServer, Question, Reply, Said, call
from tests.gateway import Gateway
from tests.wire import cancel, order

START = datetime(2026, 3, 5, 12, tzinfo=UTC)


@pytest.fixture
def server(tmp_path: Path) -> LinkServer:
    """The engine's end on a socket of its own."""
    return LinkServer(tmp_path / "engine.sock")


def connect(path: Path) -> socket.socket:
    """A raw client of the link."""
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.settimeout(5)
    peer.connect(str(path / "engine.sock"))
    return peer


def frame(body: bytes) -> bytes:
    """`body` as a frame."""
    return struct.pack(">I", len(body)) + body


def test_the_socket_is_the_users_own(server: LinkServer, tmp_path: Path) -> None:
    """Mode 0600: whoever may connect may fill orders."""
    assert stat.S_IMODE((tmp_path / "engine.sock").stat().st_mode) == 0o600
    server.close()
    assert not (tmp_path / "engine.sock").exists()


@pytest.mark.parametrize(
    "said",
    [
        FillOrder(1, Decimal("1.5"), Decimal(100)),
        TriggerOrder(7),
        Status(),
        DisableSession("TRADER37", "me"),
        EdgeReport((EdgeSession("TRADER37", "127.0.0.1", "", START, 1, 2, 3, 4, 5),)),
        OrderAnswer(3, "no"),
        HoldCancels(),
        ReleaseCancels(),
        RefuseCancel(4, "too busy"),
        LoseVenue(),
        FindVenue(),
        Ask(5, "alphapoint", CancelOrder(user_id=37, oms=OmsName(1), order_id=7)),
        Ask(6, "openalgo", OrderHistory(user_id=37, oms=OmsName(1), scope=Scope(ScopeType.ALL), since=START)),
        WatchOrders(7, frozenset({14, 15})),
    ],
)
def test_what_is_said_arrives_as_it_was_said(
    server: LinkServer, tmp_path: Path, said: Said | Question | Asked
) -> None:
    """The link carries the same frozen requests that the journal stores."""
    with connect(tmp_path) as peer:
        server.take()
        whole = frame(msgspec.json.encode(said))
        peer.sendall(whole[:5])
        assert server.take() == []
        peer.sendall(whole[5:])
        [(heard, answer)] = server.take()
        assert heard == said
        answer(Reply(104, "unknown"))
        server.flush()
        (length,) = struct.unpack(">I", peer.recv(4))
        assert msgspec.json.decode(peer.recv(length), type=Reply) == Reply(104, "unknown")
    server.close()


def test_a_slow_peer_is_waited_for_by_nobody(server: LinkServer, tmp_path: Path) -> None:
    """An answer larger than the socket takes goes out as it is read; what was said behind it waits."""
    huge = Reply(0, "x" * 5_000_000)
    with connect(tmp_path) as slow, connect(tmp_path) as other:
        server.take()
        slow.sendall(frame(b'["HoldCancels"]') * 3)
        [(_, answer)] = server.take()
        answer(huge)
        for _ in range(3):
            assert not server.flush()
            assert server.take() == []
        other.sendall(frame(b'["ReleaseCancels"]'))
        [(said, answer)] = server.take()
        assert said == ReleaseCancels()
        answer(Reply())
        received = b""
        while len(received) < 5_000_000:
            received += slow.recv(1_000_000)
            if taken := server.take():
                break
            server.flush()
        assert len(received) > 4_000_000
        while not taken:
            received += slow.recv(1_000_000)
            taken = server.take()
            server.flush()
        assert taken[0][0] == HoldCancels()
        assert b'"x' in received[:100]
    server.close()


def test_what_is_said_faster_than_it_is_answered_is_not_kept_without_bound(
    server: LinkServer, tmp_path: Path
) -> None:
    """A whole frame or so; the rest stays with the peer."""
    with connect(tmp_path) as hasty:
        server.take()
        hasty.setblocking(False)
        many = frame(b'["HoldCancels"]') * 10_000
        sent = 0
        for _ in range(100):
            with contextlib.suppress(BlockingIOError):
                while True:
                    sent += hasty.send(many)
            assert len(server.take()) == 1
        assert sent < FRAME_MAX + 2_000_000
    server.close()


def test_a_peer_that_goes_without_its_answer_is_forgotten(tmp_path: Path) -> None:
    """Its answer may come later than its end, or be half sent by then."""
    gone: list[object] = []
    server = LinkServer(tmp_path / "engine.sock", gone.append)
    for _ in range(40):
        with connect(tmp_path) as peer:
            server.take()
            peer.sendall(frame(b'["HoldCancels"]'))
            [(_, answer)] = server.take()
            answer(Reply(0, "x" * 1_000_000))
            server.flush()
        answer(Reply())
        server.flush()
        server.take()
        server.take()
        answer(Reply())
        server.flush()
    assert len(gone) == 40
    with connect(tmp_path) as peer:
        server.take()
        peer.sendall(frame(b'["HoldCancels"]'))
        assert len(server.take()) == 1
    server.close()


@pytest.mark.parametrize("most", [ASKED_PER_TURN, ASKED_NEAR_FIX, ASKED_BESIDE_FIX])
def test_what_is_asked_for_api_clients_is_taken_a_few_at_a_time(
    server: LinkServer, tmp_path: Path, most: int
) -> None:
    """So a flood of them does not keep a FIX session waiting; their answers keep their order."""
    requests = b"".join(frame(msgspec.json.encode(WatchOrders(number, frozenset()))) for number in range(40))
    with connect(tmp_path) as peer:
        server.take()
        peer.sendall(requests)
        heard: list[int] = []
        while len(heard) < 40:
            taken = server.take(most)
            assert 0 < len(taken) <= most
            for said, answer in taken:
                assert isinstance(said, WatchOrders)
                heard.append(said.number)
                answer(Answered(said.number))
            server.flush()
        assert heard == list(range(40))
        received = b""
        while received.count(b"Answered") < 40:
            received += peer.recv(65_536)
        first, second = received.index(b'["Answered",0'), received.index(b'["Answered",39')
        assert first < second
    server.close()


def test_answers_of_small_turns_go_together(server: LinkServer, tmp_path: Path) -> None:
    """An answer waits for that of the next request, if that is there already."""
    requests = b"".join(frame(msgspec.json.encode(WatchOrders(number, frozenset()))) for number in range(20))
    counts = []
    with connect(tmp_path) as peer:
        server.take()
        peer.sendall(requests)
        peer.setblocking(False)
        while taken := server.take(ASKED_BESIDE_FIX):
            for said, answer in taken:
                assert isinstance(said, WatchOrders)
                answer(Answered(said.number))
            if not server.flush(together=True):
                counts.append(peer.recv(65_536).count(b"Answered"))
        assert counts == [ASKED_PER_TURN, 20 - ASKED_PER_TURN]
        peer.sendall(requests)
        [(_, answer), _] = server.take(ASKED_BESIDE_FIX)
        answer(Answered(0))
        server.flush()
        assert peer.recv(65_536).count(b"Answered") == 1
    server.close()


def test_of_venues_words_one_message_is_taken_a_turn(server: LinkServer, tmp_path: Path) -> None:
    """It has many words; what FIX sessions wait for stays short."""
    words = tuple(OrderAnswer(number) for number in range(WORDS_MAX))
    with connect(tmp_path) as peer:
        server.take()
        peer.sendall(b"".join(frame(msgspec.json.encode(VenueSaid(number, words))) for number in range(3)))
        for number in range(3):
            [(said, answer)] = server.take()
            assert said == VenueSaid(number, words)
            answer(Answered(number))
            server.flush()
    server.close()


def test_a_venue_is_asked_before_others_are_told(server: LinkServer, tmp_path: Path) -> None:
    """What an API client is told waits for the end of the turn; what a venue is asked does not."""
    with connect(tmp_path) as venues, connect(tmp_path) as client:
        server.take()
        server.take()
        venues.sendall(frame(msgspec.json.encode(ServeVenues(1, frozenset({1})))))
        client.sendall(frame(msgspec.json.encode(WatchOrders(1, frozenset()))))
        for said, answer in server.take():
            answer(CancelOrders(1, ()) if isinstance(said, ServeVenues) else Answered(1))
        server.ask_venues()
        assert b"CancelOrders" in venues.recv(65_536)
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(65_536)
        server.flush()
        assert b"Answered" in client.recv(65_536)
    server.close()


def test_a_peer_that_is_told_much_and_reads_nothing_is_cut_off(
    server: LinkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for it has a bound, in bytes and in number; more is no longer kept."""
    monkeypatch.setattr(link, "UNTOLD_MAX", 100)
    monkeypatch.setattr(link, "UNSENT_MAX", 1_000)
    with connect(tmp_path) as peer:
        server.take()
        peer.sendall(frame(msgspec.json.encode(WatchOrders(1, frozenset({14})))))
        [(_, answer)] = server.take()
        for _ in range(100):
            for _ in range(50):
                answer(Reply(0, "x" * 1_000))
            server.flush()
        peer.settimeout(5)
        while peer.recv(1_000_000):
            pass
        server.take()
    server.close()


def test_what_is_no_command_is_answered_and_nothing_else_happens(server: LinkServer, tmp_path: Path) -> None:
    """A frame that cannot be read is answered with 100; the connection goes on."""
    with connect(tmp_path) as peer:
        server.take()
        peer.sendall(frame(b'["Explode"]'))
        assert server.take() == []
        server.flush()
        (length,) = struct.unpack(">I", peer.recv(4))
        assert b"not a command" in peer.recv(length)
    server.close()


def test_a_frame_that_is_too_long_ends_the_connection(server: LinkServer, tmp_path: Path) -> None:
    """Every buffer has a bound."""
    with connect(tmp_path) as peer:
        server.take()
        peer.sendall(struct.pack(">I", FRAME_MAX + 1))
        assert server.take() == []
        assert peer.recv(1) == b""
    server.close()


def test_no_gateway_no_answer(tmp_path: Path) -> None:
    """A command without a running gateway says so."""
    with pytest.raises(LinkError, match="no gateway answers"):
        call(tmp_path, HoldCancels())


def test_a_held_cancel_survives_a_restart(tmp_path: Path) -> None:
    """A cancel that is pending at the venue stays pending over a restart, and ends when it is released."""
    gateway = Gateway(tmp_path / "data").start()
    trader = gateway.client("TRADER37")
    trader.send("D", *order("a1"))
    number = int(trader.next()[37])
    gateway.say(HoldCancels())
    trader.send("F", *cancel("c1", "a1"))
    assert trader.next()[150] == "6"
    gateway.kill()
    gateway.start()
    assert trader.logon().type == "A"
    assert gateway.say(FillOrder(number, Decimal(4))).errorcode == 0
    fill = trader.next()
    assert (fill[150], fill[39], fill[11], fill[14]) == ("F", "6", "a1", "4")
    gateway.say(ReleaseCancels())
    end = trader.next()
    assert (end[150], end[39], end[11], end[41]) == ("4", "4", "c1", "a1")
    assert gateway.stop() == 0
