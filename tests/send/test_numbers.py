"""The sequence numbers between two calls."""

from pathlib import Path

import pytest

from fixgw.send.numbers import Numbers, NumbersError, path_of


def test_they_are_kept_for_the_next_call(tmp_path: Path) -> None:
    """A session begins at 1; afterwards it goes on."""
    with Numbers(tmp_path / "new" / "x") as numbers:
        assert (numbers.sent, numbers.expected) == (1, 1)
        numbers.save(1, 1)
        numbers.save(7, 1_234_567)
    with Numbers(tmp_path / "new" / "x") as numbers:
        assert (numbers.sent, numbers.expected) == (7, 1_234_567)


def test_one_call_at_a_time_has_a_session(tmp_path: Path) -> None:
    """The second one is told so."""
    with Numbers(tmp_path / "x"), pytest.raises(NumbersError, match="another"), Numbers(tmp_path / "x"):
        pass
    with Numbers(tmp_path / "x"):
        pass


@pytest.mark.parametrize("content", ["1 2", "0000000001 0000000001", "x" * 200, "\x00" * 22])
def test_a_file_that_is_something_else_is_not_touched(tmp_path: Path, content: str) -> None:
    """Wrong numbers would be worse than none."""
    (tmp_path / "x").write_text(content)
    with pytest.raises(NumbersError, match="put it right"), Numbers(tmp_path / "x"):
        pass
    assert (tmp_path / "x").read_text() == content


def test_no_name_leaves_the_directory(tmp_path: Path) -> None:
    """CompIDs and hosts are whatever somebody typed."""
    assert path_of(tmp_path, "../../x/y", "T\n", "::1", 99).parent == tmp_path
