"""The configuration: the examples load, and every mistake is found at once and said by name."""

from io import StringIO
from pathlib import Path
from typing import cast

import pytest
from pydantic import SecretStr
from rich.console import Console

from fixgw.config import Config, ConfigError, load
from fixgw.core.directory import DefaultScope, Permission
from fixgw.explain import explain
from fixgw.passwords import hash_password
from fixgw.secret_text import secret_text
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
        (
            ('host = "127.0.0.1"\n# TCP', 'host = "localhost"\n# TCP'),
            "[fix] host: 'localhost' is not an",
        ),
        (("engine_port = 0", "engine_port = 9878"), "[fix] engine_port: 9878 is the port that clients"),
        (("connections_max = 1000", "connections_max = 104"), "[edge] connections_max: must be 105 at least"),
        (("logon_seconds = 10", "logon_seconds = 0"), "[edge] logon_seconds: "),
        (("keep_days = 30", "keep_days = 0"), "[wire] keep_days: "),
        (('\nkey = ""', '\nkey = "gateway.toml"'), "[tls] certificate: is missing"),
        (('certificate = ""', 'certificate = "gateway.toml"'), "[tls] key: is missing"),
        (('certificate = ""', 'certificate = "none.pem"'), "[tls] certificate: none.pem is not a file"),
        (('client_ca = ""', 'client_ca = "gateway.toml"'), "[tls] client_ca: client certificates need TLS"),
        (('client_certificates = "optional"', 'client_certificates = "required"'), "without client_ca"),
        (('plain_tcp = "loopback only"', 'plain_tcp = "everywhere"'), "[tls] plain_tcp: "),
        (
            edit_session("TRADER38", 'client_certificate = "required"'),
            "[[session]] TRADER38 client_certificate: cannot be required without [tls] client_ca",
        ),
        (
            edit_session("TRADER38", 'certificate_name = "somebody"'),
            "[[session]] TRADER38 certificate_name: nobody is asked for",
        ),
        (edit_session("TRADER38", "allow_from = []"), "[[session]] TRADER38 allow_from: "),
        (edit_session("TRADER38", "allow_from = [1]"), "[[session]] TRADER38 allow_from.0: must be text"),
        (edit_session("TRADER38", 'allow_from = ["10.0.0.1/8"]'), "10.0.0.1/8 has host bits set"),
        (edit_session("TRADER38", 'allow_from = ["home"]'), "allow_from.0: no address and no network"),
        (
            edit_session("TRADER38", 'reset_seq_num_flag = "21:55"'),
            "[[session]] TRADER38 reset_seq_num_flag: '21:55' is neither \"allowed\" nor",
        ),
        (edit_session("TRADER38", 'reset_seq_num_flag = "21:55-24:00"'), "reset_seq_num_flag: '21:55-24:00'"),
        (edit_session("TRADER38", 'reset_seq_num_flag = "21:55-21:55"'), "ends when it begins"),
        (edit_session("TRADER38", "orders_per_second = -1"), "[[session]] TRADER38 orders_per_second: "),
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
    """The cost of a password check is bounded: they wait for one another."""
    first = load(REFERENCE).credentials()["TRADER37"][1]
    assert "is not an argon2 hash" in problems(write_config(tmp_path / "a", (first, "secret")))
    for number, dear in enumerate(("m=65536,t=4,p=1", "m=65537,t=1,p=1", "m=19456,t=2,p=4")):
        edit = (first, first.replace("m=19456,t=2,p=1", dear))
        assert "costs too much to check" in problems(write_config(tmp_path / f"{number}", edit))
    load(write_config(tmp_path / "b", (first, first.replace("m=19456,t=2,p=1", "m=65536,t=3,p=1"))))


OTHER_HOST = ('host = "127.0.0.1"\n# TCP; `--fix', 'host = "192.0.2.1"\n# TCP; `--fix')
OTHER_API_HOST = ('host = "127.0.0.1"\n# TCP; `--api', 'host = "192.0.2.1"\n# TCP; `--api')
EVERYWHERE = (
    'plain_tcp = "loopback only"\n',
    'plain_tcp = "everywhere, although passwords can be read on the way"\n',
)
USERS = (37, 38, 39, 1, 50)
SESSIONS = ("TRADER37", "TRADER38", "TRADER39", "OPERATOR1", "READER50")


def test_another_host_needs_tls_or_the_words_for_doing_without(tmp_path: Path) -> None:
    """Passwords do not leave the machine in plain text because somebody changed an address."""
    assert "without TLS passwords can be read" in problems(write_config(tmp_path / "a", OTHER_HOST))
    said = problems(write_config(tmp_path / "b", OTHER_HOST, EVERYWHERE))
    assert "on the way" not in said
    files = (
        ('certificate = ""', 'certificate = "quickfix.cfg"'),
        ('\nkey = ""', '\nkey = "quickfix.cfg"'),
    )
    assert "[tls]" not in problems(write_config(tmp_path / "c", OTHER_HOST, *files))


def test_example_passwords_are_good_for_loopback_only(tmp_path: Path) -> None:
    """On any other address each example password that is left is named; loopback in other words is fine."""
    found = problems(write_config(tmp_path / "a", OTHER_HOST, EVERYWHERE)).splitlines()
    assert [line.split(":")[0] for line in found] == [
        f"[[session]] {name} password_hash" for name in SESSIONS
    ]
    assert load(write_config(tmp_path / "a", OTHER_HOST, EVERYWHERE), look_outside=False)
    hashes = load(REFERENCE).credentials()
    others = [(hashes[name][1], hash_password("our own")) for name in SESSIONS]
    config = load(write_config(tmp_path / "b", OTHER_HOST, EVERYWHERE, *others))
    assert config.fix.host == "192.0.2.1"
    for host in ("127.0.0.2", "::1", "::ffff:127.0.0.1"):
        load(write_config(tmp_path / "c", (OTHER_HOST[0], f'host = "{host}"\n# TCP; `--fix')))


def test_another_host_of_the_api_needs_the_same(tmp_path: Path) -> None:
    """TLS or the words for doing without, and no password, key or secret that everybody knows."""
    assert "[api] host: 192.0.2.1 is not loopback" in problems(write_config(tmp_path / "a", OTHER_API_HOST))
    found = problems(write_config(tmp_path / "b", OTHER_API_HOST, EVERYWHERE)).splitlines()
    assert [line.split(":")[0] for line in found] == [
        f"[[api_user]] {name.lower()} {key}"
        for name in SESSIONS
        for key in ("api_key", "api_secret", "password_hash")
    ]
    off = ("enabled = true", "enabled = false")
    load(write_config(tmp_path / "c", OTHER_API_HOST, off))
    secrets = [(f'"{kind}{user}"', f'"our own {kind}{user}"') for user in USERS for kind in ("key", "secret")]
    hashes = load(REFERENCE).credentials()
    others = [(hashes[name][1], hash_password("our own")) for name in SESSIONS]
    load(write_config(tmp_path / "d", OTHER_API_HOST, EVERYWHERE, *secrets, *others))


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        (
            [('username = "trader38"', 'username = "trader37"')],
            "[[api_user]] username: trader37 is there 2 times",
        ),
        ([('"key38"', '"key37"')], "[[api_user]] trader38 api_key: is that of trader37 too"),
        ([('"key38"', '"env:FIXGW_KEY"')], "api_key: is that of trader37 too"),
        ([('"secret38"', '"file:missing"')], "[[api_user]] trader38 api_secret: cannot read"),
        ([('"secret38"', '"file:empty"')], "trader38 api_secret: the file"),
        ([('"secret38"', '"file:long"')], "has more than 4096 bytes"),
        ([('"secret38"', '"file:binary"')], "is not text in UTF-8"),
        ([('"secret38"', '"env:FIXGW_NOTHING"')], "the environment's FIXGW_NOTHING is empty or missing"),
        ([('"secret38"', '""')], "trader38 api_secret: it is empty or missing"),
        (
            [('name = "openalgo"\noms = [1]', 'name = "openalgo"\noms = [2]')],
            "openalgo oms: there is no OMS 2",
        ),
        ([("\nport = 8080", "\nport = 9878")], "[api] port: 9878 is the FIX port"),
        ([("engine_port = 0", "engine_port = 8080")], "[api] port: 8080 is the engine's port"),
        ([('name = "openalgo"', 'name = "openalgo"\nport = 9878')], "openalgo port: 9878 is the FIX port"),
        (
            [('name = "openalgo"', 'name = "alphapoint"')],
            "/AP is in the way of /AP of alphapoint on port 8080",
        ),
        (
            [('name = "coinapi_ems"', 'name = "coinapi_ems"\npath = "/api"')],
            "/api/v1 is in the way of /api/v1",
        ),
        (
            [('name = "coinapi_ems"', 'name = "coinapi_ems"\npath = "/docs"')],
            "of the documentation on port 8080",
        ),
    ],
)
def test_a_mistake_of_the_api_is_said_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edits: list[tuple[str, str]], said: str
) -> None:
    """And no secret is in what is said."""
    monkeypatch.setenv("FIXGW_KEY", "key37")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "long").write_text("x" * 5_000)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    found = problems(write_config(tmp_path, *edits))
    assert said in found
    assert "key37" not in found


def test_two_of_a_dialect_can_be_apart(tmp_path: Path) -> None:
    """By their paths, or by their ports."""
    for number, apart in enumerate(('path = "/desk"', "port = 8081")):
        edit = ('name = "openalgo"', f'name = "alphapoint"\n{apart}')
        load(write_config(tmp_path / f"{number}", edit))


def test_a_secret_may_stand_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file beside the configuration, without the end of its line, or in the environment."""
    monkeypatch.setenv("FIXGW_SECRET", "from outside")
    (tmp_path / "secret").write_text("from a file\n")
    for said, meant in (
        ("file:secret", "from a file"),
        (f"file:{tmp_path}/secret", "from a file"),
        ("env:FIXGW_SECRET", "from outside"),
        ("other:secret", "other:secret"),
        ("plain", "plain"),
    ):
        assert secret_text(SecretStr(said), tmp_path) == meant


def test_check_config_says_what_the_api_is(tmp_path: Path) -> None:
    """Its address, its dialects with their paths, its users, and its limits."""
    edit = ('name = "openalgo"', 'name = "openalgo"\npath = "/desk"\nport = 8081')
    out = Console(width=200, file=StringIO())
    explain(load(write_config(tmp_path, edit)), out)
    said = cast(StringIO, out.file).getvalue()
    for part in (
        "API on http://127.0.0.1:8080 (documentation: http://127.0.0.1:8080/docs)",
        "500 connections",
        "200 requests a second",
        "/desk/api/v1",
        "/AP, /ap, /WSGateway, /wsgateway",
        "8081",
        "trader37",
    ):
        assert part in said
    assert not [word for word in ("key37", "secret37") if word in said]
    explain(load(write_config(tmp_path / "off", ("enabled = true", "enabled = false"))), out)
    assert "No API" in cast(StringIO, out.file).getvalue()


def test_check_config_says_who_may_connect_and_how(tmp_path: Path) -> None:
    """TLS, certificates, addresses, resets and order rates, in a person's words."""
    config = write_config(
        tmp_path,
        ('certificate = ""', 'certificate = "quickfix.cfg"'),
        ('\nkey = ""', '\nkey = "quickfix.cfg"'),
        ('client_ca = ""', 'client_ca = "quickfix.cfg"'),
        edit_session("TRADER38", 'allow_from = ["192.0.2.7", "10.0.0.0/8"]\ncertificate_name = "desk 38"'),
        edit_session("TRADER39", 'reset_seq_num_flag = "23:55-00:05"\nclient_certificate = "required"'),
        edit_session("OPERATOR1", "orders_per_second = 7"),
        ("log = true", "log = false"),
    )
    out = Console(width=200, file=StringIO())
    explain(load(config), out)
    said = cast(StringIO, out.file).getvalue()
    for part in (
        "TLS: client certificates of quickfix.cfg are optional",
        "192.0.2.7, 10.0.0.0/8",
        "desk 38, optional",
        "TRADER39, required",
        "within 23:55-00:05 UTC",
        "7 a second, 100 at once",
        "Messages are not written down",
    ):
        assert part in said


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
