"""The QuickFIX session settings file: checked here, because QuickFIX ignores what it does not know."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

BEGIN_STRING = "FIX.4.4"

WATCH_SESSION = "FIXGW-WATCH"  # the supervisor's CompID
WATCHED = "FIXGW"  # what it calls the engine, whatever the configured sessions call it

HEARTBEAT_SECONDS = range(5, 61)  # HeartBtInt(108): 0 would switch all of QuickFIX's timeouts off
HEARTBEAT_RULE = f"HeartBtInt(108) must be {HEARTBEAT_SECONDS[0]} to {HEARTBEAT_SECONDS[-1]} seconds"
REFUSED = "Logon refused"  # one text for every cause: an attacker learns nothing

_REQUIRED = {
    "ConnectionType": ("acceptor", "fixgw is an acceptor"),
    "UseDataDictionary": ("Y", "the dictionary is what keeps malformed messages out"),
    "NonStopSession": ("Y", "a session time would wipe the numbers behind the journal's back"),
    "ResetOnLogon": ("N", "a reset would lose reports that were not delivered"),
    "ResetOnLogout": ("N", "a reset would lose reports that were not delivered"),
    "ResetOnDisconnect": ("N", "a reset would lose reports that were not delivered"),
    "RefreshOnLogon": ("N", "the numbers are written by one process only"),
    "PersistMessages": ("N", "the journal has every report, also for a client that asks for it again"),
    "AllowedRemoteAddresses": ("127.0.0.1", "QuickFIX must not meet bytes from elsewhere"),
    "SocketReuseAddress": ("Y", "the supervisor holds the engine's port, so that nobody else gets it"),
}
"""Settings whose value is not a matter of taste, and why. Those absent from the file are put in."""

_OPTIONAL = frozenset(
    {
        "BeginString",
        "SenderCompID",
        "TargetCompID",
        "DataDictionary",
        "SocketNodelay",
        "SocketSendBufferSize",
        "SocketReceiveBufferSize",
        "CheckCompID",
        "CheckLatency",
        "MaxLatency",
        "ValidateLengthAndChecksum",
        "ValidateFieldsOutOfOrder",
        "ValidateFieldsHaveValues",
        "ValidateUserDefinedFields",
        "AllowUnknownMsgFields",
        "LogoutTimeout",
        "TimestampPrecision",
        "MillisecondsInTimeStamp",
        "SendRedundantResendRequests",
    }
)
_OURS = {"SocketAcceptPort": "[fix] engine_port", "FileStorePath": "[gateway] data"}
_CHECKED = (
    "ValidateLengthAndChecksum",
    "ValidateFieldsHaveValues",
    "ValidateUserDefinedFields",
    "CheckCompID",
)


_WATCH_SETTINGS = {
    "BeginString": BEGIN_STRING,
    "SenderCompID": WATCHED,
    "TargetCompID": WATCH_SESSION,
    "ResetOnLogon": "Y",  # there is nothing in this session that could be lost
    "CheckLatency": "N",  # both ends have the same clock, and it may be set
}


class SessionSettings(Struct, frozen=True):
    """The file as it stands: defaults, and the settings of each session by the client's CompID."""

    path: Path
    defaults: Mapping[str, str]
    sessions: Mapping[str, Mapping[str, str]]

    def of(self, name: str, setting: str) -> str | None:
        """The value of `setting` for the session `name`, its own or the default; None when there is none."""
        return self.sessions.get(name, {}).get(setting, self.defaults.get(setting))

    def store_name(self, name: str) -> str:
        """What QuickFIX calls the files of the session `name`."""
        return f"{BEGIN_STRING}-{self.of(name, 'SenderCompID')}-{name}"

    @property
    def dictionary(self) -> Path:
        """The data dictionary that all sessions have; it is named relative to the file."""
        return (self.path.parent / self.defaults["DataDictionary"]).resolve()

    def render(self, *, port: int, store: Path) -> str:
        """The settings as QuickFIX gets them: with our port, store and dictionary, the session of the
        supervisor, and what must be.
        """
        fixed = {key: value for key, (value, _) in _REQUIRED.items()}
        fixed |= {
            "SocketAcceptPort": str(port),
            "FileStorePath": str(store),
            "DataDictionary": str(self.dictionary),
        }
        lines = ["[DEFAULT]", *_lines({**self.defaults, **fixed})]
        for settings in (*self.sessions.values(), _WATCH_SETTINGS):
            lines += ["[SESSION]", *_lines(settings)]
        return "\n".join(lines) + "\n"


def _lines(settings: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in settings.items()]


def read(path: Path) -> tuple[SessionSettings, list[str]]:
    """The settings in `path`, and every problem in them by name (none is a good file). Raises OSError."""
    problems: list[str] = []
    defaults: dict[str, str] = {}
    sections: list[dict[str, str]] = []
    current: dict[str, str] | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if stripped == "[DEFAULT]":
            current = defaults
        elif stripped == "[SESSION]":
            current = {}
            sections.append(current)
        elif "=" not in stripped or current is None:
            problems.append(f"{path.name}:{number}: {stripped!r} is neither a section nor setting=value")
        else:
            key, _, value = stripped.partition("=")
            current[key.strip()] = value.strip()
    sessions: dict[str, Mapping[str, str]] = {}
    for section in sections:
        name = section.get("TargetCompID", defaults.get("TargetCompID", ""))
        if name in sessions:
            problems.append(f"{path.name}: two sessions have TargetCompID={name}")
        sessions[name] = section
    settings = SessionSettings(path, defaults, sessions)
    return settings, problems + _problems(settings)


def _problems(settings: SessionSettings) -> list[str]:
    file = settings.path.name
    problems = []
    for section in (settings.defaults, *settings.sessions.values()):
        for key, value in section.items():
            if key in _REQUIRED and value != _REQUIRED[key][0]:
                wanted, why = _REQUIRED[key]
                problems.append(f"{file}: {key}={value} must be {wanted}: {why}")
            elif key in _CHECKED and value != "Y":
                problems.append(f"{file}: {key}={value} must be Y: malformed messages must not come through")
            elif key in _OURS:
                problems.append(
                    f"{file}: {key} is set by fixgw itself, from {_OURS[key]} in the configuration"
                )
            elif key == "DataDictionary" and section is not settings.defaults:
                problems.append(f"{file}: {key} belongs into [DEFAULT]: all sessions have the same")
            elif key not in _REQUIRED and key not in _OPTIONAL:
                problems.append(f"{file}: {key} is not a setting of a fixgw session")
    if "DataDictionary" not in settings.defaults:
        problems.append(f"{file}: DataDictionary is missing from [DEFAULT]")
    elif not (settings.path.parent / settings.defaults["DataDictionary"]).is_file():
        problems.append(f"{file}: DataDictionary={settings.defaults['DataDictionary']} is not a file")
    for name in settings.sessions:
        for key in ("TargetCompID", "SenderCompID"):
            if not settings.of(name, key):
                problems.append(f"{file}: a session has no {key}")
        begin_string = settings.of(name, "BeginString")
        if begin_string != BEGIN_STRING:
            problems.append(f"{file}: {name}: BeginString={begin_string} must be {BEGIN_STRING}")
    return problems
