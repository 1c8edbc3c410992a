"""The configuration: the examples load, and every mistake is found at once and said by name."""

from pathlib import Path

import pytest

from fixgw.config import Config, ConfigError, load
from fixgw.core.directory import DefaultScope, Permission
from tests.gateway import ROOT, edit_session, write_config

REFERENCE = ROOT / "config" / "gateway.toml"


def problems(path: Path) -> str:
    """Every mistake in the configuration `path`, a line each."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    return "\n".join(caught.value.problems)


def test_the_reference_configuration_is_what_the_documents_say() -> None:
    """The reference table: who is which user, with which accounts, permissions and default scope."""
    config = load(REFERENCE)
    directory = config.directory()
    found = {
        session.name: (
            session.user_id,
            sorted(directory.users[session.user_id].account_ids),
            [permission.value for permission in directory.users[session.user_id].permissions],
            session.default_scope,
        )
        for session in directory.sessions.values()
    }
    assert found == {
        "TRADER37": (37, [14, 15], ["Trading"], DefaultScope.OWN),
        "TRADER38": (38, [14], ["Trading"], DefaultScope.OMS),
        "TRADER39": (39, [16], ["Trading"], DefaultScope.OWN),
        "OPERATOR1": (1, [], ["Operator"], DefaultScope.OMS),
        "READER50": (50, [14], ["AccountReadOnly"], DefaultScope.OWN),
    }
    assert [(i.instrument_id, i.symbol) for i in directory.instruments.values()] == [
        (25, "BTC-USD"),
        (26, "ETH-USD"),
        (27, "BTC-PERP"),
    ]
    assert directory.users[1].permissions == {Permission.OPERATOR}
    assert (config.fix.port, config.api.port, config.data) == (9878, 8080, ROOT / "data")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (("closed_max = 200000", "closed_max = 1"), "[journal] closed_max: "),
        (('sync = "full"', 'sync = "sometimes"'), "[journal] sync: "),
        (('sync = "full"', 'sink = "full"'), "[journal] sink: unknown key"),
        (("[limits]", "[limit]"), "limit: unknown table"),
        (('host = "127.0.0.1"', 'host = "0.0.0.0"'), "[fix] host: 0.0.0.0 is not 127.0.0.1"),
        (("port = 9878", "port = 98780"), "[fix] port: "),
        (('venue = "sandbox"', 'venue = "moon"'), "[[oms]] 1 venue: "),
        (("[[account]]\nid = 15\noms = 1", "[[account]]\nid = 15\noms = 2"), "there is no OMS 2"),
        (("[[account]]\nid = 15", "[[account]]\nid = 14"), "[[account]] id: 14 is there 2 times"),
        (("accounts = [14, 15]", "accounts = [14, 99]"), "[[user]] 37 accounts: there is no account 99"),
        (("default_account = 16", "default_account = 14"), "[[user]] 39 default_account: 14 is not among"),
        (('permissions = ["Operator"]', 'permissions = ["Boss"]'), "[[user]] 1 permissions.0: "),
        (('comp_id = "TRADER39"', 'comp_id = "TRADER3"'), "[[session]] TRADER3: has no [SESSION]"),
        (('comp_id = "TRADER39"', 'comp_id = "TRADER37"'), "[[session]] comp_id: TRADER37 is there 2 times"),
        (("user = 39\n", "user = 40\n"), "[[session]] TRADER39 user: there is no user 40"),
        (('symbol = "ETH-USD"', 'symbol = "BTC-USD"'), "BTC-USD on OMS 1 is there 2 times"),
        (('product = "12"', 'product = "perp"'), "[[instrument]] 27 product: "),
        (edit_session("TRADER38", 'dialect = "loose"'), "[[session]] TRADER38 dialect: "),
        (
            ('comp_id = "TRADER39"', 'comp_id = "FIXGW-WATCH"'),
            "[[session]] FIXGW-WATCH comp_id: the supervisor",
        ),
        (("hang_seconds = 30", "hang_seconds = 0"), "[supervisor] hang_seconds: "),
    ],
)
def test_a_mistake_is_said_by_name(tmp_path: Path, edit: tuple[str, str], said: str) -> None:
    """Every error of a configuration is explained by name; an unknown key is an error."""
    assert said in problems(write_config(tmp_path, edit))


def test_a_hash_that_is_none_or_costs_too_much_is_refused(tmp_path: Path) -> None:
    """The cost of a password check is bounded to 50 ms, because it stalls the loop."""
    first = load(REFERENCE).credentials()["TRADER37"][1]
    assert "is not an argon2 hash" in problems(write_config(tmp_path / "a", (first, "secret")))
    dear = first.replace("m=19456,t=2", "m=65536,t=3")
    assert "costs too much to check" in problems(write_config(tmp_path / "b", (first, dear)))


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    """One run of check-config is enough to mend a file."""
    path = write_config(
        tmp_path,
        ("port = 9878", "port = -1"),
        ("accounts = [14, 15]", "accounts = [14, 99]"),
        ('venue = "sandbox"', 'venue = "moon"'),
        cfg=(("CheckLatency=N", "MaxLatncy=120"),),
    )
    said = problems(path)
    assert all(part in said for part in ("[fix] port", "[[user]] 37", "[[oms]] 1 venue", "MaxLatncy"))


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (("SocketNodelay=Y", "SocketNoDelay=Y"), "SocketNoDelay is not a setting of a fixgw session"),
        (("SocketNodelay=Y", "ResetOnLogon=Y"), "ResetOnLogon=Y must be N"),
        (("SocketNodelay=Y", "HttpAcceptPort=8081"), "HttpAcceptPort is not a setting"),
        (("SocketNodelay=Y", "UseDataDictionary=N"), "UseDataDictionary=N must be Y"),
        (("SocketNodelay=Y", "ValidateUserDefinedFields=N"), "ValidateUserDefinedFields=N must be Y"),
        (("SocketNodelay=Y", "AllowedRemoteAddresses=10.0.0.1"), "must be 127.0.0.1"),
        (("BeginString=FIX.4.4", "BeginString=FIX.4.2"), "BeginString=FIX.4.2 must be FIX.4.4"),
        (("FIX44.xml", "FIX45.xml"), "FIX45.xml is not a file"),
        (("TargetCompID=READER50", "TargetCompID=READER51"), "TargetCompID=READER51 has no [[session]]"),
        (("TargetCompID=READER50", "TargetCompID=TRADER37"), "two sessions have TargetCompID=TRADER37"),
        (("SenderCompID=FIXGW\n", ""), "a session has no SenderCompID"),
        (("[DEFAULT]", "[DEFAULTS]"), "'[DEFAULTS]' is neither a section nor setting=value"),
    ],
)
def test_a_mistake_in_the_quickfix_settings_is_said_by_name(
    tmp_path: Path, edit: tuple[str, str], said: str
) -> None:
    """QuickFIX ignores unknown settings silently and takes dangerous ones: their names are checked by us."""
    assert said in problems(write_config(tmp_path, cfg=(edit,)))


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """No file, no TOML, nothing in it: each has its own words."""
    assert "cannot read" in problems(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("= 1")
    assert "is not TOML" in problems(tmp_path / "bad.toml")
    (tmp_path / "empty.toml").write_text("")
    assert "[[session]]: at least one is needed" in problems(tmp_path / "empty.toml")


def test_secrets_do_not_print() -> None:
    """A configuration that is printed or logged shows no password hash."""
    config: Config = load(REFERENCE)
    assert "argon2" not in repr(config)
    assert "argon2" not in str(config.model_dump())
