"""Every crash that there is in one short conversation: one before each single write of the gateway.

What a SIGKILL leaves behind depends only on which writes to files and sockets were done before it. So a sweep
over all of them misses no moment of this conversation: a start after a clean stop, the Logons, orders, a
cancel, a mass cancel with reports for three sessions, and a clean stop; or the same without requests, as the
recovery from a crash in the middle of those reports.
"""

from collections.abc import Iterator
from itertools import count

from scripts.crash.plan import Ask
from scripts.crash.trial import Trial

ORDERS = 4  # of each of two sessions: a mass cancel over them makes 18 reports in one turn
MIDDLE = 0.6  # of the writes of a life: the reports of the mass cancel are being stored and sent


def conversation(number: int) -> Iterator[Ask]:
    """The same requests each time, under ClOrdIDs that nobody used before."""
    for index in range(ORDERS):
        for session, account in (("TRADER37", 14), ("TRADER39", 16)):
            cl_ord_id = f"d{number}-{session}-{index}"
            yield Ask(session, "D", cl_ord_id, _order(cl_ord_id, account))
    named, canceled = f"f{number}", f"d{number}-TRADER37-0"
    fields = [(11, named), (41, canceled), (55, "BTC-USD"), (54, 1), (38, 1)]
    yield Ask("TRADER37", "F", named, fields, canceled)
    mass = f"q{number}"
    yield Ask("OPERATOR1", "q", mass, [(11, mass), (530, 7)])


def _order(cl_ord_id: str, account: int) -> list[tuple[int, object]]:
    return [(11, cl_ord_id), (1, account), (55, "BTC-USD"), (54, 1), (38, 1), (40, 2), (44, 100), (59, 1)]


class Sweep:
    """Runs the conversation on `trial`, whose gateway is not running, again and again; counts its `kills`."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._conversations = 0
        self.kills = 0

    def run(self) -> None:
        """First the conversation, then the recovery from a crash in its middle; ends at the first fault.

        Raises GatewayDiedError.
        """
        writes = self._through(None)
        if not self._trial.record.faults:
            self._through(round(writes * MIDDLE))

    def _through(self, before: int | None) -> int:
        """Crash before every write of a life in turn, and recover each time; how many writes there were.

        With `before` it is crashed before that write first, and what is swept over is the recovery from it.
        """
        record = self._trial.record
        for write in count(1):
            if before is not None:
                self._crash(before, self._next())
            died = self._crash(write, [] if before is not None else self._next())
            self._trial.start()
            self._trial.log_on()
            self._trial.settle()
            if not record.faults:
                self._trial.compare()
                self._trial.stop()
            if record.faults:
                record.fault("wrong", f"after a crash before write {write} (before that: {before})")
            if record.faults or not died:
                return write
        raise AssertionError("count ends never")

    def _crash(self, write: int, asks: list[Ask]) -> bool:
        died = self._trial.die_at(write, asks)
        self.kills += died
        return died

    def _next(self) -> list[Ask]:
        self._conversations += 1
        return list(conversation(self._conversations))
