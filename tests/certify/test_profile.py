"""The profile: what it says, and how mistakes in it are told."""

import ssl
from pathlib import Path

import pytest

from fixgw.certify.profile import ProfileError, load
from fixgw.config import load as load_config
from tests.certify.build import profile
from tests.gateway import ROOT

GOOD = """
name = "a venue"
[connection]
target_comp_id = "VENUE"
[roles.TRADER]
comp_id = "T1"
password = "file:secret"
[instruments.A]
fields = "55=BTC-USD"
[values]
data = "here"
"""


def write(directory: Path, text: str) -> Path:
    path = directory / "venue.toml"
    path.write_text(text)
    return path


def test_the_profile_of_fixgw_is_that_of_the_reference_configuration() -> None:
    """Its roles are sessions with these users, its instruments and accounts are configured."""
    own = load(ROOT / "config" / "certify-fixgw.toml")
    config = load_config(ROOT / "config" / "gateway.toml")
    sessions = {session.comp_id: session for session in config.session}
    for role in own.roles.values():
        session = sessions[role.comp_id]
        assert (role.username, role.user, role.dialect) == (
            session.username,
            str(session.user),
            session.dialect,
        )
    instruments = {one.symbol: one for one in config.instrument}
    for one in own.instruments.values():
        there = instruments[one.symbol]
        assert one.pairs == ((55, one.symbol),)
        assert (one.underlying, one.product, one.cfi) == (
            there.underlying_symbol,
            there.product,
            there.cfi_code,
        )
        assert (one.type, one.session) == (there.security_type, there.trading_session_id)
    assert set(own.accounts.values()) == {str(account.id) for account in config.account}


def test_the_profile_of_fixgw_explains_every_table() -> None:
    """A comment stands above each of them but the roles and instruments that are like one before."""
    lines = (ROOT / "config" / "certify-fixgw.toml").read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("[") and line not in ("[connection]", "[instruments.B]", "[instruments.C]"):
            assert lines[number - 1].startswith("#"), line


def test_a_password_may_stand_elsewhere(tmp_path: Path) -> None:
    """In a file beside the profile, or in the environment; one that is missing is told when it is needed."""
    own = load(write(tmp_path, GOOD))
    with pytest.raises(ProfileError, match=r"roles.TRADER.password: .*secret"):
        own.password("TRADER")
    (tmp_path / "secret").write_text("hunter2\n")
    assert own.password("TRADER") == "hunter2"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('name = "a venue"', "", "name: Field required"),
        ("target_comp_id", "target", "connection.target: Extra inputs"),
        ("[roles.TRADER]", "[roles.trader]", "roles.trader"),
        ('data = "here"', "data = 1", "values.data"),
        ("[values]", "[values", "venue.toml: "),
        ("[values]", '[restore]\nhold = "release"\n[values]', "restore.hold: there is no control hold"),
        ("[values]", '[clean_up]\nhow = "mass"\nrole = "BOSS"\n[values]', "there is no role 'BOSS'"),
        ('"55=BTC-USD"', '"BTC-USD"', "instruments.A.fields: Value error, write fields as tag=value"),
        ('"VENUE"', '"VENUE"\nheartbeat = 0', "connection.heartbeat"),
        ('"T1"', '"T1"\ndialect = "odd"', "roles.TRADER.dialect"),
    ],
)
def test_a_mistake_is_told_with_its_key(tmp_path: Path, old: str, new: str, problem: str) -> None:
    """And with the file."""
    assert old in GOOD
    with pytest.raises(ProfileError) as raised:
        load(write(tmp_path, GOOD.replace(old, new, 1)))
    assert str(raised.value).startswith(str(tmp_path))
    assert problem in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(ProfileError, match=r"none.toml: No such file"):
        load(tmp_path / "none.toml")


def test_values_are_overridden_by_the_command_line(tmp_path: Path) -> None:
    """Those that there are; a name that is none is most likely a typing mistake."""
    own = load(write(tmp_path, GOOD))
    assert own.with_values(["data=a=b"]).values == {"data": "a=b"}
    for wrong in ("date=x", "data"):
        with pytest.raises(ProfileError, match=f"--set {wrong}: .*: data"):
            own.with_values([wrong])


def test_tls_is_asked_for_in_the_profile(tmp_path: Path) -> None:
    """With the system's authorities or others; files that cannot be read are told."""
    connection = {"target_comp_id": "VENUE", "tls": True}
    assert profile().tls("TRADER") is None
    context = profile(connection=connection).tls("TRADER")
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    missing = {**connection, "certificate_authority": str(tmp_path / "none.pem")}
    with pytest.raises(ProfileError, match=r"a certificate or key of TRADER cannot be used: .*none.pem"):
        profile(connection=missing).tls("TRADER")
