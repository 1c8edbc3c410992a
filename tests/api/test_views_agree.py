"""Whatever is done through which door: all doors show one user the same orders, and none that he may not see.

Orders are entered and canceled by several users over FIX, AlphaPoint (both transports), EMS and OpenAlgo, and
filled, triggered, held and refused on the sandbox. FIXGW_VIEWS_EXAMPLES=1000 does the same at length.
"""

import os
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixgw.core.requests import FillOrder, TriggerOrder
from fixgw.engine.sandbox import FindVenue, HoldCancels, LoseVenue, RefuseCancel, ReleaseCancels
from tests.api.doors import AlphaPoint, Ems, Fix, New, OpenAlgo, Seen, ids
from tests.gateway import Gateway, write_config

EXAMPLES = int(os.environ.get("FIXGW_VIEWS_EXAMPLES", "3"))
USERS = {
    "TRADER37": "key37",
    "TRADER38": "key38",
    "TRADER39": "key39",
    "OPERATOR1": "key1",
    "READER50": "key50",
}
ACCOUNTS = (14, 15, 16)
DOORS = ("fix", "websocket", "http", "ems", "openalgo")
COMPARED_EVERY = 3  # steps
OPEN = ("NEW", "PARTIALLY_FILLED", "PENDING_CANCEL")
FAST = (
    ("requests_per_second = 200", "requests_per_second = 100000"),
    ("requests_burst = 400", "requests_burst = 100000"),
)

AMOUNTS = st.sampled_from(
    ["1", "10", "0.1", "3", "7.25", "0.000000000001", "999999999999999.999999999999", "123456789012345"]
).map(Decimal)
PRICES = st.sampled_from(["100", "0.01", "64000.5", "0.000000000003", "999999999999999"]).map(Decimal)
NEW = st.builds(
    New,
    st.sampled_from(ACCOUNTS),
    st.sampled_from([25, 26, 27]),
    st.sampled_from(["BUY", "SELL"]),
    st.sampled_from(["LIMIT", "LIMIT", "MARKET", "STOP", "STOP_LIMIT"]),
    AMOUNTS,
    PRICES,
    PRICES,
)
WHO = st.sampled_from(["TRADER37", "TRADER37", "TRADER38", "TRADER39", "OPERATOR1", "READER50"])
WHICH = st.integers(0, 20)
ENTER = st.tuples(st.just("enter"), WHO, st.sampled_from(DOORS), NEW)
STEP = st.one_of(
    ENTER,
    st.tuples(st.sampled_from(["cancel", "cancel_held"]), WHO | st.none(), st.sampled_from(DOORS), WHICH),
    st.tuples(
        st.just("cancel_all"),
        WHO,
        st.sampled_from(DOORS),
        st.sampled_from([None, *ACCOUNTS]),
        st.sampled_from([None, 25, 26]),
    ),
    st.tuples(st.just("fill"), WHICH, st.sampled_from(["0.1", "0.3", "0.5", "1"]).map(Decimal), PRICES),
    st.tuples(st.just("trigger"), WHICH),
    st.tuples(st.just("refuse"), WHICH),
    st.tuples(st.sampled_from(["hold", "release", "lose", "find"])),
)


class World:
    """A gateway with a client of each user at each door, and what has been entered since the last `begin`."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.doors: dict[str, dict[str, Any]] = {}
        for user, key in USERS.items():
            name = user.lower()
            self.doors[user] = {
                "fix": Fix(gateway.ready(user)),
                "websocket": AlphaPoint(gateway, name),
                "http": AlphaPoint(gateway, name, is_http=True),
                "ems": Ems(gateway, key),
                "openalgo": OpenAlgo(gateway, key),
            }
        self.known: dict[int, Seen] = {}
        self.owners: dict[int, str] = {}
        self._turn = 0

    def begin(self) -> None:
        """No order is open, and nothing is held."""
        self.gateway.say(FindVenue())
        self.gateway.clean()
        self.known.clear()

    def do(self, kind: str, *what: Any) -> None:
        """One step."""
        getattr(self, f"_{kind}")(*what)

    def _enter(self, user: str, door: str, new: New) -> None:
        self.doors[user][door].enter(new)
        self._settle(user, door)
        for number, seen in self._all_open().items():
            if number not in self.known:
                self.known[number] = seen
                self.owners[number] = user

    def _settle(self, user: str, door: str) -> None:
        """Over FIX nothing is done yet when it is sent."""
        if door == "fix":
            self.doors[user]["fix"].settle()

    def _all_open(self) -> dict[int, Seen]:
        operator: Fix = self.doors["OPERATOR1"]["fix"]
        operator.settle()
        return operator.open() or {}

    def _at(self, which: int) -> Seen | None:
        return self.known[sorted(self.known)[which % len(self.known)]] if self.known else None

    def _cancel(self, user: str | None, door: str, which: int) -> None:
        """By this user, or by the order's own."""
        if (seen := self._at(which)) is not None:
            user = user or self.owners[seen.order_id]
            self.doors[user][door].cancel(seen)
            self._settle(user, door)

    def _cancel_held(self, user: str | None, door: str, which: int) -> None:
        self._hold()
        self._cancel(user, door, which)

    def _cancel_all(self, user: str, door: str, account: int | None, instrument: int | None) -> None:
        self.doors[user][door].cancel_all(account, instrument)
        self._settle(user, door)

    def _fill(self, which: int, share: Decimal, price: Decimal) -> None:
        if (seen := self._at(which)) is not None:
            quantity = (seen.quantity * share).quantize(Decimal("1e-12")).normalize()
            self.gateway.say(FillOrder(seen.order_id, Decimal(f"{quantity:f}"), price))

    def _trigger(self, which: int) -> None:
        if (seen := self._at(which)) is not None:
            self.gateway.say(TriggerOrder(seen.order_id))

    def _refuse(self, which: int) -> None:
        if (seen := self._at(which)) is not None:
            self.gateway.say(RefuseCancel(seen.order_id, "the venue says no"))

    def _hold(self) -> None:
        self.gateway.say(HoldCancels())

    def _release(self) -> None:
        self.gateway.say(ReleaseCancels())

    def _lose(self) -> None:
        self.gateway.say(LoseVenue())

    def _find(self) -> None:
        self.gateway.say(FindVenue())

    def compare(self) -> None:
        """Every door shows each user the same."""
        for user, doors in self.doors.items():
            fix: Fix = doors["fix"]
            fix.settle()
            for account in ACCOUNTS:
                shown = fix.open(account)
                for door in ("websocket", "http", "ems"):
                    found = doors[door].open(account)
                    assert found == _shown(doors[door], shown), (user, account, door)
            self._compare_book(user)
        self._turn += 1
        users = list(USERS)
        for number, seen in self.known.items():
            for user in {self.owners[number], users[(self._turn + number) % len(users)]}:
                self._compare_order(user, seen)

    def _compare_book(self, user: str) -> None:
        doors = self.doors[user]
        book = doors["openalgo"].book()
        own = [self.known[number] for number in self.known if self.owners[number] == user]
        if book is None:
            assert not own, user
            return
        assert ids(own) == set(book) & set(self.known), user
        for seen in own:
            status = doors["fix"].status(seen)
            assert status is not None
            assert book[seen.order_id] == doors["openalgo"].shows(status), user

    def _compare_order(self, user: str, seen: Seen) -> None:
        doors = self.doors[user]
        status = doors["fix"].status(seen)
        for door in ("websocket", "http", "ems", "openalgo"):
            if door == "ems" and (seen.client_id is None or "/" in seen.client_id):
                continue
            found = doors[door].status(seen)
            if door in ("ems", "openalgo") and self.owners[seen.order_id] != user:  # these show one's own
                assert found is None, (user, door)
            else:
                wanted = None if status is None else doors[door].shows(status)
                assert found == wanted, (user, door)

    def close(self) -> None:
        """Close the connections of the API; the gateway closes the others."""
        for doors in self.doors.values():
            for name, door in doors.items():
                if name != "fix":
                    door.close()


def _shown(door: Any, orders: dict[int, Seen] | None) -> dict[int, Seen] | None:
    return None if orders is None else {number: door.shows(seen) for number, seen in orders.items()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The world that all examples share."""
    directory = tmp_path_factory.mktemp("views")
    with Gateway(directory / "data", write_config(directory / "config", *FAST), api=True) as gateway:
        made = World(gateway)
        yield made
        made.close()


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    report_multiple_bugs=False,
    derandomize="FIXGW_VIEWS_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
@given(entered=st.lists(ENTER, min_size=3, max_size=5), steps=st.lists(STEP, min_size=6, max_size=12))
def test_all_doors_show_the_same(
    world: World, entered: list[tuple[Any, ...]], steps: list[tuple[Any, ...]]
) -> None:
    """The same orders with the same quantities, prices, sides and states, for every user."""
    world.begin()
    for number, step in enumerate((*entered, *steps)):
        world.do(*step)
        if number % COMPARED_EVERY == 0:
            world.compare()
    world.compare()
