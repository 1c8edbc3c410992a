"""A call of `fixgw send` from its options to its exit code."""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from getpass import getpass
from pathlib import Path

from pydantic import SecretStr

from fixgw.certify.session import Identity, Session
from fixgw.certify.wire import Heard, Wire
from fixgw.fix import decode as decoding
from fixgw.fix import dictionary
from fixgw.secret_text import SecretError, secret_text
from fixgw.send.line import LineError, Tls, connect
from fixgw.send.message import MessageError, read, script
from fixgw.send.numbers import Numbers, NumbersError, default_directory, path_of
from fixgw.send.outcome import Verdict
from fixgw.send.talk import Talk, TalkError

PASSWORD_VARIABLE = "FIXGW_PASSWORD"  # noqa: S105 - the name of a variable
ROUTINE = ("0", "1", "2", "4")  # what keeps a session alive and whole; not shown unless it was asked for


@dataclass(frozen=True, slots=True)
class Call:
    """What is said, by whom, to whom, and how. `seconds` is how long an answer may take."""

    messages: tuple[str, ...]
    file: Path | None
    comp_id: str
    target: str
    address: str
    username: str
    password: str
    tls: Tls | None
    seconds: float
    state: Path | None
    is_watching: bool
    is_as_typed: bool
    is_reset: bool
    is_long: bool


def run(call: Call) -> int:
    """Do it, and show it; the exit code."""
    try:
        texts = _texts(call)
        if not call.comp_id:
            raise TalkError("say who sends: --as COMPID")
        host, port = _address(call.address)
        identity = Identity(call.comp_id, call.target, *_credentials(call.username, call.password))
        signal.signal(signal.SIGINT, signal.default_int_handler)  # some library may have set it otherwise
        kept = path_of(call.state or default_directory("send"), call.comp_id, call.target, host, port)
        with Numbers(kept) as numbers:
            if call.is_reset:
                _say("--reset: both sequences begin at 1; what this session was not told yet may be lost")
            wire = Wire()
            session = Session(call.comp_id, identity, wire)
            session.open(connect(host, port, call.tls, call.seconds))
            has_echo = any(read(text)[0] == "1" for text in texts)
            show = _Shown(call.comp_id, is_long=call.is_long, has_echo=has_echo)
            talk = Talk(
                session, wire, numbers, dictionary.load(), show, seconds=call.seconds, as_is=call.is_as_typed
            )
            return _converse(talk, texts, reset=call.is_reset, watch=call.is_watching)
    except (TalkError, MessageError, NumbersError, LineError, SecretError) as error:
        _say(str(error))
    except KeyboardInterrupt:
        _say("interrupted before anything was sent")
    return Verdict.NO_ANSWER


def _converse(talk: Talk, texts: list[str], *, reset: bool, watch: bool) -> Verdict:
    """Say everything; the worst that came of it. It goes on after a refusal, and ends without an answer."""
    talk.logon(reset=reset)
    verdicts = [Verdict.ACCEPTED]
    try:
        for text in texts:
            verdicts.append(talk.ask(text))
        if watch:
            talk.watch()
    except TalkError as error:
        _say(str(error))
        verdicts.append(Verdict.NO_ANSWER)
    except KeyboardInterrupt:
        if len(verdicts) <= len(texts):
            _say("interrupted before the answer was complete")
            verdicts.append(Verdict.NO_ANSWER)
    finally:
        talk.logout()
    return max(verdicts)


class _Shown:
    """Writes what was said to stdout, decoded: a line for each message, with `is_long` one for each field."""

    def __init__(self, name: str, *, is_long: bool, has_echo: bool) -> None:
        self._name, self._names = name, dictionary.load()
        self._form: Callable[[decoding.Decoded], str] = decoding.table if is_long else decoding.one_line
        self._hidden = ROUTINE[2:] if has_echo else ROUTINE

    def __call__(self, heard: Heard) -> None:
        if not heard.raw:
            return
        decoded = decoding.decode(heard.raw, self._names)
        if decoded.msg_type not in self._hidden:
            at = f"{heard.at:%H:%M:%S}.{heard.at.microsecond // 1000:03}"
            arrow = "->" if heard.is_sent else "<-"
            print(f"{at} {self._name} {arrow} {self._form(decoded)}", flush=True)  # noqa: T201


def _texts(call: Call) -> list[str]:
    """What is to be sent. Raises MessageError, before anything was."""
    texts = list(call.messages)
    if call.file is not None:
        try:
            is_stdin = str(call.file) == "-"
            lines = sys.stdin.read() if is_stdin else call.file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise MessageError(f"cannot read {call.file}: {error}") from None
        texts += script(lines.splitlines())
    for text in texts:
        read(text)
    if not texts and not call.is_watching:
        raise MessageError('nothing to send: say a message, as "35=q|530=7", or --file, or --watch')
    return texts


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise TalkError(f"{text} is not HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


def _credentials(username: str, said: str) -> tuple[str, str]:
    """Username(553) and Password(554), both empty for an acceptor that wants none."""
    if said == "none":
        return "", ""
    if said.startswith(("env:", "file:")):
        return username, secret_text(SecretStr(said), Path())
    if said:
        raise TalkError(
            "--password-from takes env:NAME, file:PATH or none; a password is not said on the command line"
        )
    found = os.environ.get(PASSWORD_VARIABLE, "")
    if not found and not sys.stdin.isatty():
        raise TalkError(f"no password: set ${PASSWORD_VARIABLE}, or say --password-from")
    return username, found or getpass(f"Password of {username}: ")


def _say(text: str) -> None:
    print(f"fixgw: {decoding.printable(text)}", file=sys.stderr)  # noqa: T201
