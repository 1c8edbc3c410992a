"""A model of the recovery protocol: every interleaving of two requests, their reports and up to two crashes.

The client, the network, QuickFIX's numbers, and the journal are modelled; what a start does to them is the
real `mend`. In every state that can be reached the rules of a FIX session hold, and in every one where
nothing is left to do each request has exactly one outcome at the client.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from fixgw.fix import recovery
from fixgw.fix.filestore import Stored
from fixgw.journal.contract import Assigned, SessionNumbers

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)

REQUESTS = ("c1", "c2")

Numbered = tuple[tuple[int, str], ...]
Wire = tuple[tuple[str, int, str, int], ...]  # (MsgType, MsgSeqNum, request or report, number it names)


@dataclass(frozen=True)
class State:
    """Everything there is. A crash takes `up`, both wires, `held`, `batch`, `outgoing` and `is_counted`."""

    # the client
    to_ask: tuple[str, ...] = REQUESTS
    next_out: int = 1
    sent: Numbered = ()
    expected: int = 1
    outcomes: tuple[str, ...] = ()
    asked_from: int = 0
    # between them
    up: bool = False
    to_gateway: Wire = ()
    to_client: Wire = ()
    # QuickFIX: its file, and the messages that came too early
    target: int = 1
    sender: int = 1
    held: Wire = ()
    # the engine's memory
    running: bool = True
    batch: Numbered = ()
    outgoing: Numbered = ()
    is_counted: bool = False
    # the journal
    last_in: int = 0
    next_in: int = 1
    journal_out: int = 1
    assigned: Numbered = ()

    crashes: int = 0


def steps(state: State, crashes_max: int) -> Iterator[State]:
    """Every state that can come next."""
    if state.running and state.crashes < crashes_max:
        yield replace(
            state,
            running=False,
            up=False,
            to_gateway=(),
            to_client=(),
            held=(),
            batch=(),
            outgoing=(),
            is_counted=False,
            asked_from=0,
            crashes=state.crashes + 1,
        )
    if not state.running:
        yield recovered(state)
        return
    if not state.up:
        logon = ("A", state.next_out, "", 0)
        yield replace(state, up=True, to_gateway=(logon,), next_out=state.next_out + 1)
    elif state.to_ask:
        asked, *rest = state.to_ask
        yield replace(
            state,
            to_ask=tuple(rest),
            next_out=state.next_out + 1,
            sent=(*state.sent, (state.next_out, asked)),
            to_gateway=(*state.to_gateway, ("F", state.next_out, asked, 0)),
        )
    if state.to_client:
        yield client_receives(replace(state, to_client=state.to_client[1:]), *state.to_client[0])
    if state.outgoing:
        yield engine_sends(state)
    else:
        if state.to_gateway:
            yield gateway_receives(replace(state, to_gateway=state.to_gateway[1:]), *state.to_gateway[0])
        if state.batch:
            yield engine_commits(state)


def client_receives(state: State, msg_type: str, seq_num: int, text: str, number: int) -> State:
    """A FIX engine: in order, once; a gap is asked for, what came before with PossDupFlag is dropped."""
    is_again = msg_type.endswith("+")  # PossDupFlag(43)=Y
    if msg_type == "4+":
        return replace(state, expected=max(state.expected, number))
    if seq_num < state.expected:
        assert is_again, f"MsgSeqNum too low: {seq_num}, expected {state.expected} in {state}"
        return state
    if msg_type == "2":
        state = client_resends(state, number)
    if seq_num > state.expected:
        if state.asked_from == state.expected:
            return state
        ask = ("2", state.next_out, "", state.expected)
        return replace(
            state,
            asked_from=state.expected,
            next_out=state.next_out + 1,
            to_gateway=(*state.to_gateway, ask),
        )
    if msg_type.startswith("8"):
        state = replace(state, outcomes=(*state.outcomes, text))
    return replace(state, expected=seq_num + 1)


def client_resends(state: State, begin: int) -> State:
    known = dict(state.sent)
    again: list[tuple[str, int, str, int]] = []
    for seq_num in range(begin, state.next_out):
        if seq_num in known:
            again.append(("F+", seq_num, known[seq_num], 0))
        else:
            again.append(("4+", seq_num, "", seq_num + 1))
    return replace(state, to_gateway=(*state.to_gateway, *again))


def session_message(state: State, msg_type: str, number: int = 0) -> State:
    """QuickFIX numbers and sends a session message."""
    return replace(
        state,
        sender=state.sender + 1,
        to_client=(*state.to_client, (msg_type, state.sender, "", number)),
    )


def gateway_receives(state: State, msg_type: str, seq_num: int, text: str, number: int) -> State:
    """QuickFIX: in order; what comes too early is held, and what is missing asked for."""
    is_again = msg_type.endswith("+")
    if seq_num < state.target:
        assert is_again, f"MsgSeqNum too low: {seq_num}, expected {state.target} in {state}"
        return state
    if msg_type == "A":
        state = session_message(state, "A")
    if msg_type == "2":
        state = gateway_resends(state, number)
    if seq_num > state.target:
        if not state.held:
            state = session_message(state, "2", state.target)
        return replace(state, held=(*state.held, (msg_type, seq_num, text, number)))
    state = in_order(state, msg_type, seq_num, text, number)
    while state.held and state.held[0][1] <= state.target:
        first, held = state.held[0], state.held[1:]
        state = replace(state, held=held)
        if first[1] == state.target:
            state = in_order(state, *first)
    return state


def in_order(state: State, msg_type: str, seq_num: int, text: str, number: int) -> State:
    """A message with the number that is expected: counted, and a request is taken into the batch."""
    if msg_type == "4+":
        return replace(state, target=number)
    if msg_type.startswith("F"):
        state = replace(state, batch=(*state.batch, (seq_num, text)))
    return replace(state, target=seq_num + 1)


def gateway_resends(state: State, begin: int) -> State:
    """What the journal has is laid out for QuickFIX, which fills the gaps between."""
    reports = dict(state.assigned)
    again: list[tuple[str, int, str, int]] = []
    for seq_num in range(begin, state.sender):
        if seq_num in reports:
            again.append(("8+", seq_num, reports[seq_num], 0))
        else:
            again.append(("4+", seq_num, "", seq_num + 1))
    return replace(state, to_client=(*state.to_client, *again))


def engine_commits(state: State) -> State:
    """One transaction: what was not seen before is done, and its report gets its number."""
    new = [one for one in state.batch if one[0] > state.last_in]
    numbered = tuple((state.sender + place, text) for place, (_, text) in enumerate(new))
    return replace(
        state,
        batch=(),
        outgoing=numbered,
        last_in=max([state.last_in, *(seq_num for seq_num, _ in new)]),
        next_in=state.target,
        journal_out=state.sender + len(numbered),
        assigned=(*state.assigned, *numbered),
    )


def engine_sends(state: State) -> State:
    """QuickFIX counts a report; in a step of its own it sends it."""
    (seq_num, text), *rest = state.outgoing
    if not state.is_counted:
        return replace(state, sender=seq_num + 1, is_counted=True)
    to_client = (*state.to_client, ("8", seq_num, text, 0)) if state.up else state.to_client
    return replace(state, outgoing=tuple(rest), is_counted=False, to_client=to_client)


class Files:
    """QuickFIX's session and the journal of a state, as `mend` sees them."""

    def __init__(self, state: State) -> None:
        self.target, self.sender = state.target, state.sender
        self.journaled = dict(state.assigned)

    def getExpectedTargetNum(self) -> int:  # noqa: N802 (QuickFIX's name)
        return self.target

    def getExpectedSenderNum(self) -> int:  # noqa: N802 (QuickFIX's name)
        return self.sender

    def setNextTargetMsgSeqNum(self, number: int) -> None:  # noqa: N802 (QuickFIX's name)
        self.target = number

    def setNextSenderMsgSeqNum(self, number: int) -> None:  # noqa: N802 (QuickFIX's name)
        self.sender = number

    def assigned(self, session: str, epoch: int, first: int, last: int) -> list[Assigned]:
        return [
            Assigned(session, epoch, number, number, 1, NOW)
            for number in self.journaled
            if first <= number <= last
        ]


def recovered(state: State) -> State:
    """The gateway starts again: `mend`, as it is."""
    files = Files(state)
    numbers = SessionNumbers("T", next_in=state.next_in, next_out=state.journal_out, last_in=state.last_in)
    not_sent = recovery.mend(
        files,  # type: ignore[arg-type]
        numbers,
        files,  # type: ignore[arg-type]
        after_clean_stop=False,
        stored=Stored(),
    )
    assert {block.first_seq_num for block in not_sent} == {
        number for number, _ in state.assigned if number >= state.sender
    }
    return replace(
        state,
        running=True,
        target=files.target,
        sender=files.sender,
    )


def check(state: State) -> None:
    """What holds in every state: one meaning for each number, and no outcome twice."""
    assert len(set(state.outcomes)) == len(state.outcomes), state
    numbers = [number for number, _ in state.assigned]
    assert len(set(numbers)) == len(numbers), state
    assert len({text for _, text in state.assigned}) == len(state.assigned), state


def explore(start: State, crashes_max: int) -> tuple[int, int]:
    """Go through every state that can be reached; how many there are, and how many are the end."""
    seen, waiting, ends = {start}, deque([start]), 0
    while waiting:
        state = waiting.popleft()
        check(state)
        further = list(steps(state, crashes_max))
        if all(one.crashes > state.crashes for one in further):
            ends += 1
            assert sorted(state.outcomes) == sorted(REQUESTS), state
        for one in further:
            if one not in seen:
                seen.add(one)
                waiting.append(one)
    return len(seen), ends


@pytest.mark.parametrize("crashes_max", [0, 1, 2])
def test_no_path_loses_or_doubles(crashes_max: int) -> None:
    """Whenever the process dies, each request has one outcome in the end, and each number one meaning."""
    states, ends = explore(State(), crashes_max)
    assert states > 40
    assert ends > 0


def test_the_model_finds_a_recovery_that_loses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the journal's numbers a counted message that was not committed is lost: the model sees it."""

    def nothing(*_: object, **__: object) -> list[Assigned]:
        return []

    monkeypatch.setattr(recovery, "mend", nothing)
    with pytest.raises(AssertionError):
        explore(State(), 1)
