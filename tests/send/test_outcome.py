"""When an answer is complete."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixgw.fix.decode import split
from fixgw.send.outcome import Outcome, Verdict

SEQ_NUM = 9


def fields(text: str) -> dict[int, str]:
    """A message by tag, as `talk` makes it."""
    found: dict[int, str] = {}
    for tag, value in split(text):
        found[tag] = f"{found[tag]}\x01{value}" if tag in found else value
    return found


def verdicts(request: str, *answers: str) -> list[Verdict | None]:
    """What each answer makes of it."""
    asked = fields(request)
    outcome = Outcome(asked[35], asked, SEQ_NUM)
    return [outcome.take(fields(answer)[35], fields(answer)) for answer in answers]


ACCEPTED, REFUSED = Verdict.ACCEPTED, Verdict.REFUSED
Q = "35=q|11=m|530=7"


@pytest.mark.parametrize(
    ("request_", "answers", "verdict"),
    [
        ("35=D|11=a", ["35=8|11=a|150=A|39=A", "35=8|11=a|150=0|39=0"], ACCEPTED),
        ("35=D|11=a", ["35=8|11=b|150=0|39=0", "35=8|11=a|150=8|39=8"], REFUSED),
        ("35=D|11=a|97=Y", ["35=8|11=a|150=I|39=4"], ACCEPTED),
        ("35=D|11=a", ["35=3|45=8", "35=3|45=9"], REFUSED),
        ("35=D|11=a", ["35=j|45=1|379=a"], REFUSED),
        ("35=F|11=c|41=a", ["35=8|11=c|41=a|150=6|39=6", "35=8|11=c|41=a|150=4|39=4"], ACCEPTED),
        ("35=F|11=c|41=a", ["35=8|11=a|150=F|39=6", "35=9|11=c|41=a|39=2"], REFUSED),
        ("35=F|11=c|41=a", ["35=9|11=other|41=a", "35=8|11=a|150=4", "35=9|11=c"], REFUSED),
        (Q, ["35=r|11=m|531=0|532=99"], REFUSED),
        (Q, ["35=r|11=m|531=7|533=0"], ACCEPTED),
        (Q, ["35=r|11=m|531=7"], ACCEPTED),
        (Q, ["35=r|11=m|531=7|533=2", "35=8|11=m|150=4|41=a", "35=8|11=m|150=4|41=b"], ACCEPTED),
        (Q, ["35=r|11=m|531=7|533=2", "35=9|11=m|41=a", "35=8|11=m|150=4|41=b"], REFUSED),
        (Q, ["35=r|11=m|531=7|533=1", "35=8|11=m|150=6|41=a", "35=8|11=m|150=4|41=a"], ACCEPTED),
        (Q, ["35=8|11=a|150=4|37=1", "35=r|11=m|531=7|533=1|534=1|41=a|535=1"], ACCEPTED),
        (Q, ["35=r|11=m|531=7|533=1|534=1|535=1", "35=8|11=x|150=4|37=2", "35=8|11=a|150=4|37=1"], ACCEPTED),
        ("35=q|11=m|97=Y", ["35=r|11=m|531=7|533=5"], ACCEPTED),
        ("35=H|11=a", ["35=8|11=a|150=I|39=0"], ACCEPTED),
        ("35=H|11=NONE|37=4", ["35=8|11=a|37=4|150=I|39=0"], ACCEPTED),
        ("35=H|11=a|790=h", ["35=8|11=a|150=F|39=1", "35=8|11=a|790=h|150=I|39=8"], REFUSED),
        ("35=AF|584=s", ["35=8|584=s|911=2|912=N", "35=8|584=s|911=2|912=Y"], ACCEPTED),
        ("35=AF|584=s", ["35=8|584=s|911=2", "35=8|584=t|911=1", "35=8|584=s|911=2"], ACCEPTED),
        ("35=AF|584=s", ["35=j|45=9|380=3"], REFUSED),
        ("35=1|112=t", ["35=0", "35=0|112=t"], ACCEPTED),
    ],
)
def test_the_last_answer_and_no_other_is_the_end(request_: str, answers: list[str], verdict: Verdict) -> None:
    """The verdict comes with the last of what belongs to the request."""
    assert verdicts(request_, *answers) == [None] * (len(answers) - 1) + [verdict]


@given(st.integers(0, 6).flatmap(lambda count: st.permutations(range(count + 1))))
def test_the_answer_to_a_mass_cancel_is_complete_in_any_order(order: list[int]) -> None:
    """FIX leaves open whether r is first or last."""
    count = len(order) - 1
    answers = [f"35=r|11=m|531=7|533={count}", *(f"35=8|11=m|150=4|41=o{number}" for number in range(count))]
    found = verdicts(Q, *(answers[place] for place in order))
    assert found == [None] * count + [ACCEPTED]


@given(
    st.sampled_from(["D", "F", "q", "H", "AF", "1", "U1"]),
    st.lists(
        st.dictionaries(st.sampled_from([11, 37, 39, 45, 150, 531, 533, 535, 911, 912]), st.text(max_size=3))
    ),
    st.sampled_from(["8", "9", "r", "j", "3", "0", "B"]),
)
def test_whatever_a_peer_says_raises_nothing(msg_type: str, answers: list[dict[int, str]], kind: str) -> None:
    """A peer's numbers may be none."""
    outcome = Outcome(msg_type, {35: msg_type, 11: "x"}, 1)
    for answer in answers:
        outcome.take(kind, answer)
