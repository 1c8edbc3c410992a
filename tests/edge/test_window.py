"""How much of what a client sends is with the engine at one time."""

from hypothesis import given
from hypothesis import strategies as st

from fixgw.edge.frames import Cut
from fixgw.edge.window import ALONE_MAX, COMPANY_SECONDS, WITH_ENGINE_MAX, Company, Window

TOGETHER_MIN = WITH_ENGINE_MAX // 2


def cut(first: int, count: int) -> Cut:
    """So many messages of different lengths, which say their numbers."""
    data, ends = b"", []
    for number in range(first, first + count):
        data += b"%d;" % number
        ends.append(len(data))
    return Cut(data, ends)


def numbers(taken: Cut | None) -> list[int]:
    """The messages of a cut; it must be cut where they end."""
    if taken is None:
        return []
    found = [frame.rstrip(b";") for frame in taken.frames()]
    assert b"".join(b"%s;" % number for number in found) == taken.data
    return [int(number) for number in found]


def all_next(window: Window) -> list[int]:
    """Everything that may go on now."""
    found: list[int] = []
    while (taken := window.next()) is not None:
        found += numbers(taken)
    return found


def test_the_engine_gets_a_window_full_and_more_only_for_answers() -> None:
    """Of a flood of a thousand messages in one piece."""
    window = Window()
    window.put(cut(0, 1_000))
    assert all_next(window) == list(range(WITH_ENGINE_MAX))
    assert not window.is_empty
    window.answered(TOGETHER_MIN - 1)
    assert all_next(window) == []  # a write of so few is not worth it
    window.answered(1)
    assert all_next(window) == list(range(WITH_ENGINE_MAX, WITH_ENGINE_MAX + TOGETHER_MIN))


def test_a_client_that_sends_little_never_waits() -> None:
    """As long as it gets its answers."""
    window = Window()
    for number in range(100):
        window.put(cut(number, 1))
        assert all_next(window) == [number]
        assert window.is_empty
        window.answered(1)


def test_a_session_is_alone_until_another_is_heard_and_some_time_after() -> None:
    """Whoever floods meanwhile has less of the engine from that moment on."""
    company = Company()
    company.heard("A", 100.0)
    assert company.most("A", 100.0) == ALONE_MAX
    company.heard("B", 101.0)
    assert (company.most("A", 101.0), company.most("B", 101.0)) == (WITH_ENGINE_MAX, WITH_ENGINE_MAX)
    later = 101.0 + COMPANY_SECONDS
    for at in (101.5, later):
        company.heard("A", at)
        assert company.most("A", at) == WITH_ENGINE_MAX
    company.heard("A", later + 0.1)
    assert company.most("A", later + 0.1) == ALONE_MAX
    assert company.most("B", later + 0.1) == WITH_ENGINE_MAX


def test_many_answers_to_one_request_are_no_room_for_more_than_a_window() -> None:
    """As a mass cancel has them."""
    window = Window()
    window.put(cut(0, 100))
    all_next(window)
    window.answered(10_000)
    assert len(all_next(window)) == WITH_ENGINE_MAX


def test_answers_that_do_not_come_are_given_up() -> None:
    """A window full of Heartbeats must not end the session."""
    window = Window()
    window.put(cut(0, WITH_ENGINE_MAX + 1))
    all_next(window)
    window.give_up()
    assert all_next(window) == [WITH_ENGINE_MAX]


def test_all_that_waits_can_be_had_at_an_end_or_dropped() -> None:
    """What a client has sent reaches the engine although the client is gone."""
    window = Window()
    window.put(cut(0, 20))
    window.put(cut(20, 20))
    began = all_next(window)
    rest: list[int] = []
    while (taken := window.rest()) is not None:
        rest += numbers(taken)
    assert began + rest == list(range(40))
    assert window.is_empty
    window.put(cut(40, 20))
    window.drop()
    assert window.is_empty
    assert window.rest() is None


@given(st.lists(st.one_of(st.integers(1, 40), st.integers(-40, -1), st.none()), max_size=60))
def test_nothing_is_lost_doubled_or_moved_and_the_bound_holds(steps: list[int | None]) -> None:
    """Whatever comes, is answered, or is given up, and in which order."""
    window = Window()
    came, gone, unanswered = 0, list[int](), 0
    for step in steps:
        if step is None:
            window.give_up()
            unanswered = 0
        elif step > 0:
            window.put(cut(came, step))
            came += step
        else:
            window.answered(-step)
            unanswered = max(0, unanswered + step)
        now = all_next(window)
        unanswered += len(now)
        assert unanswered <= WITH_ENGINE_MAX
        gone += now
        assert gone == list(range(len(gone)))
        assert window.is_empty == (len(gone) == came)
