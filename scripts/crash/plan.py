"""What the clients ask and when the gateway is killed, all of it drawn from one seed.

Nothing here depends on what the gateway does, so a seed gives the same requests and the same moments again;
only the machine's timing differs. Orders are good till cancel: no end of day comes between.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from scripts.bench.client import Fields

TRADERS = {"TRADER37": (37, (14, 15)), "TRADER38": (38, (14,)), "TRADER39": (39, (16,))}
OPERATOR = "OPERATOR1"
SESSIONS = (*TRADERS, OPERATOR)
ACCOUNTS = {14: 37, 15: 37, 16: 39}  # each with a user whose order an Operator may enter in it
SYMBOLS = ("BTC-USD", "ETH-USD", "BTC-PERP")
SIDES = ("1", "2")

IN_FLIGHT = range(40, 1_000)  # requests of a round: up to some tenths of a second
MASS = range(50, 1_000)  # orders under a usual mass cancel: a few turns of 500 reports
LARGE_MASS = range(3_000, 3_500)  # under a large one: many turns, half a second
LARGE_SHARE = 0.15  # of the mass cancels are large: they take five times as long
ORDERS_MAX = 6_000  # then everything is canceled, below what an AF may report
SECONDS_MAX = 0.15  # how long after the first request a kill by the clock comes, at most
WRITE_ASKS = range(10, 100)
WRITES_MAX = 600  # of a start, the Logons and so many requests: each takes some four to ten
STOP_SECONDS_MAX = 0.03  # how long after SIGTERM a SIGKILL comes, at most: a clean stop takes about as long
PAUSE_MAX = 0.004  # between the moment and the kill: a few turns, so that it falls anywhere in a turn


class Moment(StrEnum):
    """What the gateway is doing when it is killed."""

    IN_FLIGHT = "requests in flight"
    MASS = "reports of a mass cancel"
    HELD = "cancels pending at the venue"
    IDLE = "idle"
    FIRST = "first requests after a clean stop"
    STOPPING = "a clean stop"
    STARTING = "start-up, before the ready line"
    READY = "just started, no client there yet"
    WRITE = "one of its own writes"
    LOGON = "clients logging on and fetching what they missed"


class Victim(StrEnum):
    """Which processes are killed; the supervisor starts its children again."""

    GATEWAY = "all processes"
    EDGE = "the edge"
    ENGINE = "the engine"
    CHILDREN = "edge and engine"


@dataclass(frozen=True)
class Ask:
    """A request for a session to send."""

    session: str
    msg_type: str
    cl_ord_id: str
    fields: Fields
    orig: str | None = None


@dataclass(frozen=True)
class Start:
    """A start that is killed: at `share` of a usual start's time, or `seconds` after the moment began.

    At Moment.WRITE it kills itself before the write to its files and sockets that `write` numbers from 1, and
    `asks` are sent once the clients are logged on.
    """

    moment: Moment
    share: float = 0.0
    seconds: float = 0.0
    write: int = 0
    asks: Sequence[Ask] = ()


@dataclass
class Round:
    """`before` is asked and answered first, then `asks` is under way at the kill.

    The kill, of `victim`, comes when `share` of the outcomes or final reports has come, or `seconds`
    after the first request if that is given; and then `pause` seconds later, or `stop_seconds` after a
    SIGTERM. `away` loses its connection at `away_share`, `offline` is asked while nobody is connected,
    `starts` are the starts that are killed too, `refused` are those orders of `before` whose cancel the
    venue is to refuse, `releases` says that it is about to answer the pending ones. `settles` and
    `compares` say whether to wait for everything at the end, and to compare with the OMS.
    """

    moment: Moment
    share: float
    pause: float
    seconds: float | None = None
    before: Sequence[Ask] = ()
    asks: Sequence[Ask] = ()
    offline: Sequence[Ask] = ()
    starts: Sequence[Start] = ()
    refused: Sequence[str] = ()
    away: str | None = None
    away_share: float = 0.0
    releases: bool = False
    stop_seconds: float | None = None
    settles: bool = True
    compares: bool = False
    victim: Victim = Victim.GATEWAY


@dataclass(frozen=True)
class _Resting:
    session: str
    cl_ord_id: str
    user: int
    account: int
    symbol: str
    side: str
    qty: int = field(compare=False)


_VICTIMS = ((Victim.GATEWAY, 7), (Victim.EDGE, 3), (Victim.ENGINE, 3), (Victim.CHILDREN, 2))

_KINDS = (
    (Moment.IN_FLIGHT, 10),
    (Moment.MASS, 6),
    (Moment.HELD, 3),
    (Moment.FIRST, 3),
    (Moment.STOPPING, 2),
    (Moment.IDLE, 1),
)


class Plan:
    """Rounds from `seed`, without end."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._ids = 0
        self._resting: dict[str, _Resting] = {}
        self._entered: dict[str, list[_Resting]] = {session: [] for session in SESSIONS}  # gone ones too
        self._gone: list[_Resting] = []

    def round(self) -> Round:
        """The next round."""
        draw = self._random
        kind = draw.choices(*zip(*_KINDS, strict=True))[0]
        made = Round(kind, draw.random(), draw.uniform(0, PAUSE_MAX))
        match kind:
            case Moment.IN_FLIGHT:
                made.asks = self._mix(draw.choice(IN_FLIGHT))
                made.seconds = draw.choice((None, draw.uniform(0, SECONDS_MAX)))
                made.away = draw.choice((*SESSIONS, None, None, None, None))
                made.away_share = draw.random()
            case Moment.FIRST:
                made.asks = self._mix(draw.randrange(1, 30))
                made.seconds = 0.0  # right away: before or in the first turn
            case Moment.STOPPING:
                made.asks = self._mix(draw.choice(IN_FLIGHT))
                made.stop_seconds = draw.uniform(0, STOP_SECONDS_MAX)
            case Moment.MASS:
                large = draw.random() < LARGE_SHARE
                made.before, made.asks = self._mass(draw.choice(LARGE_MASS if large else MASS))
            case Moment.HELD:
                made.before, mass = self._mass(draw.choice(MASS))
                singles = [self._cancel(draw.choice(SESSIONS)) for _ in range(draw.randrange(20))]
                made.refused = [ask.cl_ord_id for ask in made.before if draw.random() < 0.05]
                made.asks = [*singles, *mass]
                made.releases = draw.random() < 0.5
        if draw.random() < 0.5:
            made.offline = self._mix(draw.randrange(60))
        if made.stop_seconds is None:
            made.victim = draw.choices([one for one, _ in _VICTIMS], [share for _, share in _VICTIMS])[0]
        if made.victim is Victim.GATEWAY:
            made.starts = [self._killed_start() for _ in range(draw.choice((0, 0, 0, 1, 1, 2)))]
        if len(self._resting) > ORDERS_MAX:
            made.offline = [*made.offline, self._mass_cancel(OPERATOR)]
        made.settles = draw.random() < 0.6
        made.compares = made.settles and draw.random() < 0.4
        return made

    def _killed_start(self) -> Start:
        draw = self._random
        moment = draw.choices((Moment.STARTING, Moment.READY, Moment.LOGON, Moment.WRITE), (3, 1, 2, 3))[0]
        if moment is Moment.WRITE:
            return Start(moment, write=draw.randint(1, WRITES_MAX), asks=self._mix(draw.choice(WRITE_ASKS)))
        # most of a start is loading code; what recovers is its last third
        share = draw.choices((draw.uniform(0, 0.65), draw.uniform(0.65, 1.0)), (1, 3))[0]
        return Start(moment, share, draw.uniform(0, 0.02 if moment is Moment.READY else 0.15))

    def _mix(self, count: int) -> list[Ask]:
        """Requests of all sessions and kinds, in a random order."""
        draw = self._random
        made = []
        for _ in range(count):
            session = draw.choice(SESSIONS)
            kind = draw.choices((self._order, self._cancel, self._mass_cancel), (56, 40, 4))[0]
            made.append(kind(session))
        return made

    def _mass(self, count: int) -> tuple[list[Ask], list[Ask]]:
        """Orders of one session or of all, and a q over all of them and whatever else is in its scope."""
        draw = self._random
        owner = draw.choice((*TRADERS, None))
        orders = [self._order(owner or draw.choice(SESSIONS), always_good=True) for _ in range(count)]
        asker = draw.choice((OPERATOR, owner)) if owner in ("TRADER37", "TRADER39") else OPERATOR
        return orders, [self._mass_cancel(asker or OPERATOR, whole=True)]

    def _next_id(self, prefix: str) -> str:
        self._ids += 1
        return f"{prefix}{self._ids}"

    def _order(self, session: str, *, always_good: bool = False) -> Ask:
        """A D: for the session's own user, or for another one if it is the Operator's. Some are refused."""
        draw = self._random
        account = draw.choice(TRADERS[session][1] if session in TRADERS else tuple(ACCOUNTS))
        user = TRADERS[session][0] if session in TRADERS else ACCOUNTS[account]
        symbol, side, qty = draw.choice(SYMBOLS), draw.choice(SIDES), draw.randint(1, 99)
        good = draw.random() > 0.03 or always_good
        cl_ord_id = self._next_id("d")
        price = f"{draw.randint(1, 90_000)}.{draw.randint(0, 9)}"
        fields: list[tuple[int, object]] = [(11, cl_ord_id), *(_user(user) if session == OPERATOR else ())]
        fields += [(1, account), (21, 1), (55, symbol if good else "NO-SUCH"), (54, side), (38, qty), (40, 2)]
        fields += [(44, price), (59, 1)]
        if good:
            order = _Resting(session, cl_ord_id, user, account, symbol, side, qty)
            self._resting[cl_ord_id] = order
            self._entered[session].append(order)
        return Ask(session, "D", cl_ord_id, fields)

    def _cancel(self, session: str) -> Ask:
        """An F: for an order of one's own, at times for a colleague's, one that is gone, or none at all."""
        draw = self._random
        order: _Resting | None = None
        match draw.choices(("own", "colleague's", "gone", "unknown"), (80, 10, 7, 3))[0]:
            case "own":
                order = self._any_of(session)
            case "colleague's":
                order = self._any_of(draw.choice(SESSIONS))
                if order and session in TRADERS and order.account not in TRADERS[session][1]:
                    order = None
            case "gone" if self._gone:
                order = draw.choice(self._gone)
        cl_ord_id = self._next_id("f")
        if order is None:
            fields: Fields = [(11, cl_ord_id), (41, "none-such"), (55, SYMBOLS[0]), (54, 1), (38, 1)]
            return Ask(session, "F", cl_ord_id, fields, "none-such")
        if self._resting.pop(order.cl_ord_id, None) is not None:
            self._gone = [*self._gone[-50:], order]
        account = [] if order.session == session else [(1, order.account)]
        fields = [(11, cl_ord_id), (41, order.cl_ord_id), *account, (55, order.symbol), (54, order.side)]
        return Ask(session, "F", cl_ord_id, [*fields, (38, order.qty)], order.cl_ord_id)

    def _any_of(self, session: str) -> _Resting | None:
        """A resting order that this session entered, if there is one."""
        entered = self._entered[session]
        while entered:
            number = self._random.randrange(len(entered))
            if entered[number].cl_ord_id in self._resting:
                return entered[number]
            entered[number] = entered[-1]
            entered.pop()
        return None

    def _mass_cancel(self, session: str, *, whole: bool = False) -> Ask:
        """A q: everything in reach, or narrowed. TRADER38 is refused unless it names its account."""
        draw = self._random
        cl_ord_id = self._next_id("q")
        symbol = draw.choice((None, *SYMBOLS)) if not whole else None
        side = draw.choice((None, None, *SIDES)) if not whole else None
        account = draw.choice((None, *ACCOUNTS)) if session == OPERATOR and not whole else None
        user = None
        if session in TRADERS:
            user = TRADERS[session][0] if session != "TRADER38" else None
            account = 14 if session == "TRADER38" and draw.random() < 0.7 else None
        fields: list[tuple[int, object]] = [(11, cl_ord_id), (530, 7 if symbol is None else 1)]
        wanted: dict[str, object] = {"account": account, "symbol": symbol, "side": side, "user": user}
        tags = {"account": 1, "symbol": 55, "side": 54}
        fields += [(tag, wanted[name]) for name, tag in tags.items() if wanted[name] is not None]
        if session != "TRADER38" or account is not None:
            self._leave(wanted)
        return Ask(session, "q", cl_ord_id, fields)

    def _leave(self, wanted: dict[str, object]) -> None:
        """Take the orders that a q means off the plan's own book."""
        self._resting = {
            name: order
            for name, order in self._resting.items()
            if any(value is not None and getattr(order, key) != value for key, value in wanted.items())
        }


def _user(user: int) -> Fields:
    return ((453, 1), (448, user), (447, "D"), (452, 11))
