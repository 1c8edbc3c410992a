"""The API's fuzzer itself: it says the same again for a seed, and it finds what is wrong."""

import json
from random import Random

import pytest
from scripts import fuzz_api
from scripts.fuzzing.api_author import Author
from scripts.fuzzing.api_peers import ApiJudge


def test_a_seed_is_a_conversation() -> None:
    """The same numbers make the same bytes; another seed makes others."""

    def said(seed: int) -> list[bytes]:
        author = Author(Random(seed))
        parts = [[author.alphapoint().text, author.ems().text, author.http().data] for _ in range(300)]
        return [data for part in parts for data in part]

    assert said(1) == said(1)
    assert said(1) != said(2)


def test_many_messages_are_good_and_many_are_not() -> None:
    """A fuzzer whose messages are all refused at the door would find nothing."""
    author = Author(Random(1))
    good = 0
    for _ in range(400):
        try:
            good += isinstance(json.loads(json.loads(author.alphapoint().text)["o"]), dict)
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
    assert 100 < good < 390


@pytest.mark.parametrize("data", ["", "{", '{"a":NaN}', "x", '{"a":1}{}'])
def test_what_is_not_json_is_a_fault(data: str) -> None:
    """Although Python reads some of it."""
    judge = ApiJudge()
    judge.json(data, "here")
    assert judge.faults.total() == 1


def test_mutated_requests_find_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Over HTTP and WebSocket, in all dialects: `make fuzz-api` does the same at length."""
    code = fuzz_api.main(["--messages", "500", "--seed", "1"])
    said = capsys.readouterr().out
    assert code == 0, said
    for answer in (
        "m 1, errorcode 0",
        "m 5, errorcode 100",
        "HTTP 200",
        "HTTP 400",
        "ORDER_EXEC_REPORT_UPDATE",
    ):
        assert answer in said
