"""`fixgw send`: say something in FIX to a gateway, or to any acceptor, and see the answers."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
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


def send(
    messages: Annotated[
        list[str] | None, typer.Argument(help='As "35=q|530=7"; several are sent in order.')
    ] = None,
    comp_id: Annotated[str, typer.Option("--as", help="SenderCompID(49): who says it.")] = "",
    to: Annotated[str, typer.Option(help="HOST:PORT of the acceptor.")] = "127.0.0.1:9878",
    target: Annotated[str, typer.Option(help="TargetCompID(56).")] = "FIXGW",
    username: Annotated[str, typer.Option(help="Username(553); default: as --as.")] = "",
    password: Annotated[
        str,
        typer.Option(
            "--password-from",
            help=f"env:NAME, file:PATH, or none. Default: ${PASSWORD_VARIABLE}; else it is asked for.",
        ),
    ] = "",
    tls: Annotated[
        bool, typer.Option("--tls", help="TLS; the system's CAs unless --ca says others.")
    ] = False,
    ca: Annotated[
        Path | None, typer.Option(help="PEM: the CAs that the acceptor's certificate is from.")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="PEM: the client's certificate.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM: its key.")] = None,
    file: Annotated[Path | None, typer.Option(help="Messages, one on a line; - is stdin.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Stay and show what comes, until SIGINT.")] = False,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long an answer is waited for.")] = 10.0,
    as_is: Annotated[bool, typer.Option("--as-is", help="Add and check nothing but the header.")] = False,
    reset: Annotated[
        bool,
        typer.Option(
            "--reset", help="ResetSeqNumFlag(141)=Y. What the session was not told yet may be lost."
        ),
    ] = False,
    fields: Annotated[bool, typer.Option("--fields", help="Each field on a line of its own.")] = False,
    state: Annotated[Path | None, typer.Option(help="Where the sequence numbers are kept.")] = None,
) -> None:
    """Send FIX messages and show the answers: exit code 0 accepted, 1 refused, 2 could not.

    What a message leaves out and can be known is put in. The session goes on from call to call; it must not
    be one that a client has.
    """
    try:
        texts = _texts(messages or [], file, watch=watch)
        if not comp_id:
            raise TalkError("say who sends: --as COMPID")
        host, port = _address(to)
        identity = Identity(comp_id, target, *_credentials(username or comp_id, password))
        trust = Tls(ca, certificate, key) if tls or ca or certificate else None
        signal.signal(signal.SIGINT, signal.default_int_handler)  # some library may have set it otherwise
        with Numbers(path_of(state or default_directory(), comp_id, target, host, port)) as numbers:
            if reset:
                _say("--reset: both sequences begin at 1; what this session was not told yet may be lost")
            wire = Wire()
            session = Session(comp_id, identity, wire)
            session.open(connect(host, port, trust, seconds))
            show = _Shown(comp_id, is_long=fields, has_echo=any(read(text)[0] == "1" for text in texts))
            talk = Talk(session, wire, numbers, dictionary.load(), show, seconds=seconds, as_is=as_is)
            verdict = _converse(talk, texts, reset=reset, watch=watch)
    except (TalkError, MessageError, NumbersError, LineError, SecretError) as error:
        _say(str(error))
        verdict = Verdict.NO_ANSWER
    raise typer.Exit(verdict.value)


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


def _texts(messages: list[str], file: Path | None, *, watch: bool) -> list[str]:
    """What is to be sent. Raises MessageError, before anything was."""
    texts = list(messages)
    if file is not None:
        try:
            lines = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise MessageError(f"cannot read {file}: {error}") from None
        texts += script(lines.splitlines())
    for text in texts:
        read(text)
    if not texts and not watch:
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
    return username, found or str(typer.prompt(f"Password of {username}", hide_input=True, err=True))


def _say(text: str) -> None:
    print(f"fixgw: {decoding.printable(text)}", file=sys.stderr)  # noqa: T201
