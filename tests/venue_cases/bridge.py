"""A bridge for tests: two real gateways, one of which is the venue of the other, and a proxy between them."""

from pathlib import Path
from types import TracebackType

from tests.gateway import Gateway, write_config
from tests.wire import Client

LOGINS = {
    "alphapoint": 'oms = "1"\nuser_id = "1"\napi_key = "key1"\napi_secret = "secret1"\n',
    "coinapi_ems": 'oms = "SANDBOX"\napi_key = "key1"\n',
    "openalgo": 'oms = "SANDBOX"\napi_key = "key37"\n',
}
"""How the bridge logs in to each kind; where the venue has several accounts, as one who sees them all."""

KINDS = tuple(LOGINS)


def bridge_config(directory: Path, kind: str, url: str, **settings: object) -> Path:
    """The reference configuration with its OMS on a venue of this kind at `url`."""
    accounts = {"14": "14"} if kind == "openalgo" else {"14": "14", "15": "15", "16": "16"}
    by_name = kind != "alphapoint"
    instruments = {
        "BTC-USD": "BTC-USD" if by_name else "25",
        "ETH-USD": "ETH-USD" if by_name else "26",
        "BTC-PERP": "BTC-PERP" if by_name else "27",
    }
    edits = [('venue = "sandbox"', 'venue = "outside"')]
    if kind == "openalgo":  # its key has one account
        edits += [
            ("[[account]]\nid = 15\noms = 1\n", ""),
            ("[[account]]\nid = 16\noms = 1\n", ""),
            ("accounts = [14, 15]", "accounts = [14]"),
            ("accounts = [16]", "accounts = [14]"),
            ("default_account = 16", "default_account = 14"),
        ]
    config = write_config(directory, *edits)
    values: dict[str, object] = {
        "request_seconds": 2,
        "confirm_seconds": 1,
        "poll_seconds": 1,
        "scope_seconds": 5,
        "requests_per_second": 500,
        "requests_at_once": 16,
        **settings,
    }
    with config.open("a") as file:
        file.write(f'\n[[venue]]\nname = "outside"\nkind = "{kind}"\nurl = "{url}"\n{LOGINS[kind]}')
        for key, value in values.items():
            file.write(f'{key} = "{value}"\n' if isinstance(value, str) else f"{key} = {value}\n")
        for table, names in (("accounts", accounts), ("instruments", instruments)):
            file.write(f"[venue.{table}]\n")
            file.writelines(f'"{ours}" = "{theirs}"\n' for ours, theirs in names.items())
    return config


class Bridge:
    """A gateway (`front`) whose OMS is on a venue of `kind`, which is another gateway (`back`).

    `url` is where the front finds the venue: the back's own API, or what stands before it.
    """

    def __init__(self, directory: Path, kind: str, **settings: object) -> None:
        self.kind = kind
        edits = (
            ("requests_per_second = 200\n", "requests_per_second = 10000\n"),
            ("requests_burst = 400\n", "requests_burst = 10000\n"),
            ("backlog_bytes_max = 16777216\n", "backlog_bytes_max = 67108864\n"),  # a list of 5,000 orders
        )
        self.back = Gateway(directory / "back", write_config(directory / "venue", *edits), api=True)
        self.directory = directory
        self.settings = settings
        self.front: Gateway | None = None
        self._url = ""

    def start(self, url: str | None = None) -> "Bridge":
        """Start both, and wait until the venue is up."""
        self.back.start()
        self._url = url or f"http://127.0.0.1:{self.back.api_port}"
        config = bridge_config(self.directory / "config", self.kind, self._url, **self.settings)
        self.front = Gateway(self.directory / "front", config).start()
        return self

    def start_front(self, **settings: object) -> None:
        """Start the front again, with these settings of its venue."""
        assert self.front is not None
        bridge_config(self.directory / "config", self.kind, self._url, **{**self.settings, **settings})
        self.front.start()

    def client(self, name: str) -> Client:
        """A FIX client of the bridge."""
        assert self.front is not None
        return self.front.client(name)

    def stop(self) -> None:
        """Stop both."""
        for gateway in (self.front, self.back):
            if gateway is not None and gateway.process is not None:
                gateway.close_clients()
                gateway.stop()

    def __enter__(self) -> "Bridge":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
