"""Who an API client is: passwords, keys, signatures, and nonces that are good once."""

import asyncio
import hmac
import string
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from fixgw.edge.api import nonces as nonces_module
from fixgw.edge.api.identity import LOGINS_PER_ADDRESS_MAX, Entry, Identities, Identity
from fixgw.edge.api.nonces import CLOCK_SECONDS, NONCE_LENGTH_MAX, Nonces

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
TRADER, READER = Identity(37, "trader37"), Identity(50, "reader50")
STARTED = 1_790_000_000.0  # in 2026
ENTRIES = [
    Entry(TRADER, CHEAP.hash("open"), "key37", "secret37"),
    Entry(READER, CHEAP.hash("sesame"), "schlüssel", "geheimnis"),
]


@contextmanager
def identities(started: float = STARTED) -> Iterator[Identities]:
    found = Identities(ENTRIES, started)
    try:
        yield found
    finally:
        found.close()


def signed(nonce: str, user_id: str = "37", api_key: str = "key37", secret: str = "secret37") -> str:
    return hmac.digest(secret.encode(), (nonce + user_id + api_key).encode(), "sha256").hex()


# passwords


def test_a_name_and_its_password_are_a_user() -> None:
    """The right ones, again and again; nothing else, and every refusal takes a quarter of a second."""

    async def scenario() -> None:
        with identities() as known:
            for _ in range(2):
                assert await known.by_password("trader37", "open", "192.0.2.1") == TRADER
            began = time.monotonic()
            for username, password in [("trader37", "sesame"), ("reader50", "open"), ("nobody", "open")]:
                assert await known.by_password(username, password, "192.0.2.1") is None
            assert time.monotonic() - began >= 3 * 0.25

    asyncio.run(scenario())


def test_an_address_has_so_many_logins_at_once() -> None:
    """More are refused unlooked at; other addresses, and whoever was right before, are not."""

    async def scenario() -> None:
        with identities() as known:
            assert await known.by_password("reader50", "sesame", "192.0.2.1") == READER
            guesses = [
                asyncio.ensure_future(known.by_password("trader37", f"guess {n}", "192.0.2.1"))
                for n in range(LOGINS_PER_ADDRESS_MAX)
            ]
            await asyncio.sleep(0)
            began = time.monotonic()
            assert await known.by_password("trader37", "open", "192.0.2.1") is None
            assert await known.by_password("reader50", "sesame", "192.0.2.1") == READER
            assert time.monotonic() - began < 0.2
            assert await known.by_password("trader37", "open", "192.0.2.2") == TRADER
            assert await asyncio.gather(*guesses) == [None] * LOGINS_PER_ADDRESS_MAX
            assert await known.by_password("trader37", "open", "192.0.2.1") == TRADER
            assert not known._logins

    asyncio.run(scenario())


def test_who_is_gone_from_the_configuration_is_nobody() -> None:
    """After an update the old credentials are not good, and those that changed are named."""

    async def scenario() -> None:
        with identities() as known:
            assert await known.by_password("reader50", "sesame", "192.0.2.1") == READER
            changed = Entry(TRADER, ENTRIES[0].password_hash, "key37", "another secret")
            assert known.update([changed]) == {TRADER, READER}
            assert await known.by_password("reader50", "sesame", "192.0.2.1") is None
            assert known.by_key("schlüssel") is None
            assert known.by_signature("key37", "37", "1", signed("1")) is None
            assert known.by_signature("key37", "37", "1", signed("1", secret="another secret")) == TRADER
            assert known.update([changed]) == frozenset()

    asyncio.run(scenario())


# keys


@pytest.mark.parametrize(
    ("key", "identity"),
    [
        ("key37", TRADER),
        ("schlüssel", READER),
        ("KEY37", None),
        ("key3", None),
        ("key377", None),
        ("", None),
        ("secret37", None),
        ("\ud800", None),
    ],
)
def test_a_key_is_a_user(key: str, identity: Identity | None) -> None:
    """The whole key, letter by letter."""
    with identities() as known:
        assert known.by_key(key) == identity


def test_nothing_secret_is_in_what_prints() -> None:
    """Neither in an entry, nor in what is refused."""
    assert "secret37" not in repr(ENTRIES)
    assert "key37" not in repr(ENTRIES)


# signatures


def test_the_signature_is_the_documented_one() -> None:
    """HMAC-SHA256 of nonce, user id and API key, with the secret, in lower-case hex; a known answer."""
    by_openssl = "c110b27b56c4a980dbd4c464718473f39b745741729f5cdc230027a028e39a71"
    with identities() as known:
        assert known.by_signature("key37", "37", "1791000000000", by_openssl) == TRADER


@pytest.mark.parametrize(
    ("api_key", "user_id", "nonce", "signature"),
    [
        ("key37", "37", "7", signed("7").upper()),
        ("key37", "37", "7", signed("8")),
        ("key37", "37", "7", signed("7")[:-1]),
        ("key37", "37", "7", ""),
        ("key37", "37", "7", "é" * 64),
        ("key37", "50", "7", signed("7", "50")),  # another user's id, rightly signed
        ("key37", "037", "7", signed("7", "037")),
        ("key38", "37", "7", signed("7", api_key="key38")),
        ("key38", "37", "7", signed("7", api_key="key38", secret="")),  # of a key that nobody has
        ("schlüssel", "50", "7", signed("7", "50", "schlüssel")),  # with another one's secret
        ("key37", "37", "", signed("")),
        ("key37", "37", "7" * (NONCE_LENGTH_MAX + 1), signed("7" * (NONCE_LENGTH_MAX + 1))),
    ],
)
def test_a_wrong_signature_is_nobody(api_key: str, user_id: str, nonce: str, signature: str) -> None:
    """Every part counts, and none of these uses up the nonce."""
    with identities() as known:
        assert known.by_signature(api_key, user_id, nonce, signature) is None
        assert known.by_signature("key37", "37", "7", signed("7")) == TRADER


TEXT = st.text(alphabet=string.ascii_letters + string.digits, max_size=8)


@given(TEXT, TEXT, TEXT, TEXT)
def test_only_the_exact_message_is_signed(api_key: str, user_id: str, nonce: str, secret: str) -> None:
    """Whatever the parts are, only those of the configuration make a user."""
    with identities() as known:
        found = known.by_signature(api_key, user_id, nonce, signed(nonce, user_id, api_key, secret))
        assert (found is None) == ((api_key, user_id, secret) != ("key37", "37", "secret37") or not nonce)


def test_a_nonce_is_good_once_for_each_key() -> None:
    """A captured login is of no use, and one user's nonces are not another's."""
    with identities() as known:
        assert known.by_signature("key37", "37", "7", signed("7")) == TRADER
        assert known.by_signature("key37", "37", "7", signed("7")) is None
        other = signed("7", "50", "schlüssel", "geheimnis")
        assert known.by_signature("schlüssel", "50", "7", other) == READER


# nonces


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9], ids=["s", "ms", "us", "ns"])
def test_a_nonce_from_before_the_start_is_not_good(unit: int) -> None:
    """It may have been used with the process before; a clock may be a little late."""
    nonces = Nonces(STARTED)
    assert not nonces.take(str(int(STARTED - CLOCK_SECONDS - 1) * unit))
    assert not nonces.take(str(int(STARTED - 30 * 86_400) * unit))
    assert nonces.take(str(int(STARTED - CLOCK_SECONDS + 1) * unit))
    assert nonces.take(str(int(STARTED + 1) * unit))


@pytest.mark.parametrize("nonce", ["1", "452407085", "0", "1000000000", "6f1b0c", "99999999999999999999999"])
def test_a_nonce_that_is_no_time_is_good(nonce: str) -> None:
    """Counters, random numbers and texts are nonces too, each of them once."""
    nonces = Nonces(STARTED)
    assert nonces.take(nonce)
    assert not nonces.take(nonce)


def test_the_same_number_in_other_digits_is_the_same_nonce() -> None:
    """With leading zeros; digits of other scripts are text."""
    nonces = Nonces(STARTED)
    assert nonces.take("7")
    assert not nonces.take("007")
    assert nonces.take("٧")


def test_what_is_forgotten_is_not_good_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers at or below the greatest forgotten one are refused; texts beyond the bound too."""
    monkeypatch.setattr(nonces_module, "NONCES_MAX", 3)
    nonces = Nonces(STARTED)
    assert [nonces.take(nonce) for nonce in ("10", "30", "20", "40", "50")] == [True] * 5
    assert [nonces.take(nonce) for nonce in ("10", "20", "15", "30", "50")] == [False] * 5
    assert [nonces.take(nonce) for nonce in ("25", "60")] == [True, True]
    assert [nonces.take(nonce) for nonce in ("a", "b", "c", "d", "a")] == [True, True, True, False, False]


@given(st.lists(st.integers(min_value=0, max_value=40), max_size=60), st.integers(min_value=1, max_value=5))
def test_no_nonce_is_ever_taken_twice(said: list[int], bound: int) -> None:
    """Whatever was forgotten; and one that is greater than all before is always taken."""
    before, nonces_module.NONCES_MAX = nonces_module.NONCES_MAX, bound
    try:
        nonces, taken = Nonces(STARTED), set[int]()
        for number in said:
            is_taken = nonces.take(str(number))
            assert not (is_taken and number in taken)
            assert is_taken or (taken and number <= max(taken))
            taken |= {number} if is_taken else set()
    finally:
        nonces_module.NONCES_MAX = before
