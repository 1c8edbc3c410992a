"""The shapes that faults have: a message written wrongly, a set too wide, a report that is not sent."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from fixgw.core import oms, status
from fixgw.core.events import Event, MassCancelAccepted
from fixgw.core.narrow import Asked
from fixgw.core.order import Order
from fixgw.core.requests import ClientRequest, MassCancel
from fixgw.core.selector import CancelSelector
from fixgw.core.state import OmsState
from fixgw.core.tell import Told
from fixgw.edge.frames import Cut
from fixgw.edge.pipe import Pipe
from fixgw.engine import effects
from fixgw.fix.framing import message
from fixgw.fix.inbound import Inbound
from fixgw.fix.outbound import Outbound
from tests.mutants.switch import add

SOH = "\x01"


class Written:
    """A message as it is about to be sent: its fields in order."""

    def __init__(self, body: str) -> None:
        self.pairs = [part.partition("=")[::2] for part in body.split(SOH)[:-1]]

    @property
    def body(self) -> str:
        """The fields with SOH after each."""
        return "".join(f"{tag}={value}{SOH}" for tag, value in self.pairs)

    def get(self, tag: int) -> str | None:
        """The first value of `tag`."""
        return next((value for key, value in self.pairs if key == str(tag)), None)

    def has(self, *wanted: tuple[int, str]) -> bool:
        """Whether each of these fields has this value."""
        return all(self.get(tag) == value for tag, value in wanted)

    def put(self, tag: int, value: str) -> None:
        """Give `tag` this value, everywhere; a new field goes behind the MsgType."""
        if self.get(tag) is None:
            self.pairs.insert(1, (str(tag), value))
        self.pairs = [(key, value if key == str(tag) else old) for key, old in self.pairs]

    def drop(self, *tags: int) -> None:
        """Leave these fields out."""
        self.pairs = [pair for pair in self.pairs if pair[0] not in map(str, tags)]


Rewrite = Callable[[Written], None]


def written(scenario: int) -> Callable[[Rewrite], Rewrite]:
    """A report is written wrongly."""

    def register(rewrite: Rewrite) -> Rewrite:
        def wrong(original: Any, self: Any, report: Any, session: Any) -> tuple[str, bool]:
            body, has_groups = original(self, report, session)
            found = Written(body)
            rewrite(found)
            return found.body, has_groups

        add(scenario, Outbound, "render", wrong, rewrite)
        return rewrite

    return register


Read = Callable[[ClientRequest], ClientRequest]


def read(scenario: int) -> Callable[[Read], Read]:
    """A request is read wrongly."""

    def register(change: Read) -> Read:
        def wrong(original: Any, self: Any, raw: str, session: Any) -> ClientRequest:
            return change(original(self, raw, session))

        add(scenario, Inbound, "read", wrong, change)
        return change

    return register


Select = Callable[[CancelSelector, MassCancel, OmsState], CancelSelector]


def selects(scenario: int) -> Callable[[Select], Select]:
    """A mass cancel that is granted selects by something else."""

    def register(select: Select) -> Select:
        def wrong(
            original: Any,
            state: OmsState,
            number: int,
            request: MassCancel,
            asked: CancelSelector,
            at: datetime,
        ) -> MassCancelAccepted:
            found: MassCancelAccepted = original(state, number, request, select(asked, request, state), at)
            return found

        add(scenario, oms, "_accept", wrong, select)
        return select

    return register


Misses = Callable[[Order], bool]


def misses(scenario: int) -> Callable[[Misses], Misses]:
    """A mass cancel leaves out the orders for which the function holds."""

    def register(is_missed: Misses) -> Misses:
        def wrong(
            original: Any,
            state: OmsState,
            number: int,
            request: MassCancel,
            asked: CancelSelector,
            at: datetime,
        ) -> MassCancelAccepted:
            found: MassCancelAccepted = original(state, number, request, asked, at)
            kept = tuple(key for key in found.order_ids if not is_missed(state.book[key]))
            return replace(found, order_ids=kept)

        add(scenario, oms, "_accept", wrong, is_missed)
        return is_missed

    return register


Look = Callable[[CancelSelector, Any], CancelSelector]


def looks(scenario: int) -> Callable[[Look], Look]:
    """A mass status request looks at something else."""

    def register(look: Look) -> Look:
        def wrong(original: Any, state: OmsState, request: Any, user: Any) -> Any:
            asked = original(state, request, user)
            return Asked(look(asked.selector, request), asked.unknown) if isinstance(asked, Asked) else asked

        add(scenario, status, "read_selector", wrong, look)
        return look

    return register


Tells = Callable[[list[Told], Event, Order | None, Order | None], list[Told]]


def tells(scenario: int) -> Callable[[Tells], Tells]:
    """Somebody is told something else of an event; `before` and `after` are the order."""

    def register(change: Tells) -> Tells:
        def wrong(
            original: Any,
            state: OmsState,
            event: Event,
            before: Order | None,
            after: Order | None,
            **how: Any,
        ) -> list[Told]:
            return change(list(original(state, event, before, after, **how)), event, before, after)

        add(scenario, effects, "tell", wrong, change)
        return change

    return register


class Frame(Written):
    """A whole message on its way through the edge; `is_dropped` keeps it from going on."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data.decode("latin-1"))
        self._as_it_came = data, list(self.pairs)
        self.is_dropped = False

    @property
    def type(self) -> str:
        """MsgType(35)."""
        return self.get(35) or ""

    @property
    def data(self) -> bytes:
        """The message as it came, or if it was changed with the right BodyLength(9) and CheckSum(10)."""
        if self.is_dropped:
            return b""
        if self.pairs == self._as_it_came[1]:
            return self._as_it_came[0]
        body = "".join(f"{tag}={value}{SOH}" for tag, value in self.pairs if tag not in ("8", "9", "10"))
        return message(b"FIX.4.4", body.encode("latin-1"))

    def become_gap_fill(self) -> None:
        """Be a SequenceReset(4) that skips this one message."""
        number = int(self.get(34) or 0)
        kept = [pair for pair in self.pairs if pair[0] in ("34", "43", "49", "52", "56", "122")]
        self.pairs = [("35", "4"), *kept, ("123", "Y"), ("36", str(number + 1))]


Passes = Callable[[Frame], None]


def goes_out(scenario: int) -> Callable[[Passes], Passes]:
    """The edge passes on something else than the engine has said."""

    def register(change: Passes) -> Passes:
        def wrong(original: Any, self: Pipe, cut: Cut) -> None:
            frames = [Frame(data) for data in cut.frames()]
            for frame in frames:
                change(frame)
            said = [frame.data for frame in frames if not frame.is_dropped]
            ends = [sum(map(len, said[: number + 1])) for number in range(len(said))]
            original(self, Cut(b"".join(said), ends))

        add(scenario, Pipe, "_deliver", wrong, change)
        return change

    return register


def comes_in(scenario: int) -> Callable[[Passes], Passes]:
    """The edge passes on something else than the client has said."""

    def register(change: Passes) -> Passes:
        def wrong(original: Any, self: Pipe, data: bytes) -> None:
            said = b""
            for part in data.split(b"8=FIX.4.4\x01")[1:]:
                frame = Frame(b"8=FIX.4.4\x01" + part)
                change(frame)
                said += frame.data
            original(self, said)

        add(scenario, Pipe, "from_client", wrong, change)
        return change

    return register
