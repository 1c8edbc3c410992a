"""Scripts as they are played: steps, outcomes, and what is left afterwards."""

from collections.abc import Mapping

import pytest

from fixgw.certify.controls import ControlError, by_command
from fixgw.certify.grammar import Ask, Step
from fixgw.certify.player import Player, Watcher
from fixgw.certify.results import Outcome, Played, Result
from tests.certify.build import Ends, no_control, profile, script

ROLES = {
    "TRADER": {"comp_id": "T1", "username": "t1", "password": "secret-t1", "user": "37"},
    "CLIENT": {"comp_id": "T1"},
}
LOGON = ("connect TRADER", "TRADER > 35=A|98=0|108=30|141=Y", "logon CLIENT", "TRADER < 35=A|141=Y")
ORDER = ("TRADER > 35=D|11={new order}|{instrument}|54=1|38=100|40=2|44={price}|60={now}",)


def play(*steps: str, patience: float = 10.0, watcher: Watcher | None = None, **changes: object) -> Result:
    """Play steps in which one side is TRADER and the other CLIENT."""
    own = profile(patience, **{"roles": ROLES, **changes})
    player = Player(own, Ends().connect, no_control, acceptors=frozenset({"CLIENT"}), watcher=watcher)
    try:
        return player.play(script(*LOGON, *steps))
    finally:
        player.close()


def test_both_sides_of_a_cancel() -> None:
    """Ids that are made, captured and sent back; fields of the profile; numbers that are moved."""
    result = play(
        *ORDER,
        "CLIENT < 35=D|11=(theirs)|55=BTC-USD|38=(quantity:[0-9]+)|44=10|34=2",
        "CLIENT > 35=8|150=0|39=0|37=77|11={theirs}|151={quantity-40}|34={next}",
        "TRADER < 35=8|11={order}|37=(id)|151=60",
        "TRADER > 35=F|11={new cancel}|41={order}|37={id}|{instrument B}|{party TRADER}",
        "CLIENT < 35=F|41={theirs}|37=77|48=26|22=8|448=37|452=11",
        "CLIENT > 35=8|150=4|39=4|37=77|11={cancel}|41={theirs}",
        "TRADER < 35=8|11=/^{cancel}$/|58=!",
        "TRADER quiet",
        "CLIENT quiet",
    )
    assert result.reason == ""
    assert result.outcome is Outcome.PASSED
    assert [played.line for played in result.played] == [*range(3, 17), 0]


def test_messages_in_any_order() -> None:
    """Each message takes the first line that fits it."""
    result = play(
        "CLIENT > 35=8|11=b|37=2",
        "CLIENT > 35=r|11=m",
        "CLIENT > 35=8|11=a|37=1",
        "any order",
        "TRADER < 35=r|11=m",
        "TRADER < 35=8|11=a|37=(first)",
        "TRADER < 35=8|11=b|37=(second)",
        "end",
        "CLIENT > 35=8|11={first}{second}",
        "TRADER < 35=8|11=12",
    )
    assert result.reason == ""


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        (("CLIENT > 35=8|37=1", "TRADER < 35=8|37=2|41=!"), "line 8: OrderID(37) is 1, not 2, in 8=FIX.4.4|"),
        (("CLIENT > 35=8|37=1", "TRADER < 35=9"), "line 8: MsgType(35) is 8, not 9"),
        (("CLIENT > 35=8|37=1", "TRADER quiet"), "line 8: nothing more was expected, and this came: 8="),
        (("CLIENT > 35=8|37=1", "any order", "TRADER < 35=9", "TRADER < 35=8|37=2", "end"),
         "line 8: it fits none of the lines 9, 10; as to line 9: MsgType(35) is 8, not 9"),
        (("cut CLIENT", "TRADER < 35=8"), "line 8: the connection is closed"),
        (("cut TRADER", "TRADER > 35=0"), "line 8: there is no connection"),
        (("control release", "CLIENT > 35=8|34=1", "TRADER closed"), "line 9: MsgSeqNum(34) is 1, 2 is"),
    ],
)  # fmt: skip
def test_a_step_that_fails_says_why(steps: tuple[str, ...], reason: str) -> None:
    """The line, what was expected and what came; the steps after it are not played."""
    result = play(*steps)
    assert result.outcome is Outcome.FAILED
    assert result.reason.startswith(reason), result.reason


def test_silence_is_a_failure() -> None:
    """What was expected, and how long it was waited for."""
    result = play("TRADER < 35=8|37=*", patience=0.2)
    assert result.reason == "line 7: nothing came within 0.2 s; expected was 35=8|37=*"
    assert play("TRADER closed", patience=0.2).reason == "line 7: the connection is still open after 0.2 s"


def test_a_message_must_fit_the_dictionary_of_the_dialect() -> None:
    """Strict: what FIX publishes. A field that it does not know is a failure, whatever the script asks."""
    strict = {**ROLES, "TRADER": {**ROLES["TRADER"], "dialect": "strict"}}
    good = "CLIENT > 35=j|45=1|372=D|380=0"
    assert play(good, "TRADER < 35=j", roles=strict).reason == ""
    assert "20002" in play(f"{good}|20002=100", "TRADER < 35=j", roles=strict).reason
    assert play(f"{good}|20002=100", "TRADER < 35=j").reason == ""


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ("logon OPERATOR", "the profile has no roles.OPERATOR"),
        ("control fill", "the profile has no controls.fill"),
        ("TRADER > 35=D|1={account SHARED}", "the profile has no accounts.SHARED"),
        ("TRADER > 35=q|311={underlying}", "the profile does not say underlying in instruments.A"),
        ("TRADER > 35=q|{party CLIENT}", "the profile does not say user in roles.CLIENT"),
    ],
)
def test_what_the_profile_lacks_makes_a_scenario_not_applicable(step: str, reason: str) -> None:
    """It is not played, and not passed."""
    result = play(step)
    assert (result.outcome, result.reason, result.played) == (Outcome.NOT_APPLICABLE, reason, [])


def test_what_a_scenario_needs() -> None:
    """A feature that the profile does not offer."""
    player = Player(profile(), Ends().connect, no_control)
    result = player.play(script("logon TRADER", header="needs: mass-cancel, extended\n"))
    assert (result.outcome, result.reason) == (Outcome.NOT_APPLICABLE, "the profile does not offer extended")


def test_what_is_left_open_is_canceled_one_by_one() -> None:
    """The clean-up sends an F; an order that stays open makes the scenario fail."""
    result = play(*ORDER, "CLIENT < 35=D|11=(id)", "CLIENT > 35=8|150=0|39=0|37=77|11={id}")
    assert result.reason.startswith("clean up: the book is not clean: order-")
    sent = [one.raw for one in result.played[-1].heard if one.is_sent and one.role == "TRADER"]
    (request,) = [raw for raw in sent if "\x0135=F\x01" in raw]
    for field in ("37=77", "55=BTC-USD", "54=1", "38=100"):
        assert f"\x01{field}\x01" in request


def test_a_control_is_undone() -> None:
    """After a scenario that has not done it, and only then."""
    said: list[str] = []

    def control(name: str, arguments: Mapping[str, str]) -> None:
        said.append(f"{name} {dict(arguments)}")

    player = Player(profile(), Ends().connect, control)
    assert player.play(script("control hold")).reason == ""
    assert said == ["hold {}", "release {}"]
    said.clear()
    assert player.play(script("control hold", "control release order=1")).reason == ""
    assert said == ["hold {}", "release {'order': '1'}"]


def test_controls_are_commands() -> None:
    """With what the script and the profile's values put into the braces; one that fails says why."""
    own = profile(
        controls={"say": ["sh", "-c", "echo {what} >&2; exit {code}"]}, values={"code": "3"}, restore={}
    )
    control = by_command(own)
    with pytest.raises(ControlError, match="control say ended with 3: sorry"):
        control("say", {"what": "sorry"})
    control("say", {"what": "fine", "code": "0"})
    with pytest.raises(ControlError, match="control say needs 'what'"):
        control("say", {})


def test_who_watches_is_told_of_each_step() -> None:
    """Before it begins, so that a person knows what is waited for, and when it is over."""
    told: list[str] = []

    class Watching(Watcher):
        def begins(self, step: Step) -> None:
            told.append(f"begins {step.text}" if isinstance(step, Ask) else "begins")

        def ended(self, played: Played) -> None:
            told.append(f"ended {played.line} {played.problem}")

    play("ask Enter an order of {symbol A}", "TRADER quiet", watcher=Watching())
    assert told[-5:] == ["begins Enter an order of BTC-USD", "ended 7 ", "begins", "ended 8 ", "ended 0 "]
