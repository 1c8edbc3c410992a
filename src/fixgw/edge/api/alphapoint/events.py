"""Who is told what: the WebSockets of each user, and what one of them is subscribed to."""

from collections.abc import Iterator

from fixgw.edge.api.alphapoint.views import Event
from fixgw.edge.engine_link import Watch


class Subscription:
    """Events of one account on one WebSocket. `number` is the `i` that they carry.

    What happens before the reply of the Subscribe call waits until `begin`: no event overtakes it.
    """

    def __init__(self, account_id: int, number: int) -> None:
        self.account_id = account_id
        self.number = number
        self.watch: Watch | None = None
        self._early: list[Event] | None = []

    def keeps(self, event: Event) -> bool:
        """Whether `event` waits for the reply; then it is kept."""
        if self._early is None:
            return False
        self._early.append(event)
        return True

    def begin(self) -> list[Event]:
        """The reply is on its way: what has waited for it."""
        early, self._early = self._early or [], None
        return early


class Listener:
    """One who is told events: a WebSocket."""

    def tell(self, event: Event) -> None:
        """Pass on an event that is not about an order, if it is subscribed to."""
        raise NotImplementedError


class Listeners:
    """The WebSockets on which each user is logged in."""

    def __init__(self) -> None:
        self._of_user: dict[int, dict[Listener, None]] = {}

    def add(self, user_id: int, listener: Listener) -> None:
        """`user_id` is logged in there."""
        self._of_user.setdefault(user_id, {})[listener] = None

    def remove(self, user_id: int, listener: Listener) -> None:
        """He is no more."""
        own = self._of_user.get(user_id, {})
        own.pop(listener, None)
        if not own:
            self._of_user.pop(user_id, None)

    def tell(self, user_id: int, event: Event | None) -> None:
        """Tell this user, wherever he is logged in."""
        if event is not None:
            for listener in self._listening(user_id):
                listener.tell(event)

    def _listening(self, user_id: int) -> Iterator[Listener]:
        yield from list(self._of_user.get(user_id, {}))
