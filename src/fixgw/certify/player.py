"""Plays scripts one after another: each from a clean book to a clean book, on sessions of its own."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from fixgw.certify.cast import Cast, Connect, Failed
from fixgw.certify.controls import Control, ControlError, by_command
from fixgw.certify.grammar import Script, Step
from fixgw.certify.names import FillError
from fixgw.certify.profile import Profile
from fixgw.certify.results import Outcome, Played, Result
from fixgw.certify.session import Session, Silent, WireError
from fixgw.certify.stage import Stage

CLEAN_UP = "clean up"


class Watcher:
    """Is told how it goes; this one takes no notice."""

    def begins(self, step: Step) -> None:
        """A step begins."""

    def ended(self, played: Played) -> None:
        """A step is over."""


class Player:
    """Plays scripts for one profile. `acceptors` are the roles that the other side logs on to."""

    def __init__(
        self,
        profile: Profile,
        connect: Connect,
        control: Control | None = None,
        *,
        acceptors: frozenset[str] = frozenset(),
        watcher: Watcher | None = None,
    ) -> None:
        self._profile = profile
        self._cast = Cast(profile, connect, acceptors)
        self._control = control or by_command(profile)
        self._watcher = watcher or Watcher()

    def session(self, role: str) -> Session:
        """The session of a role."""
        return self._cast.session(role)

    def close(self) -> None:
        """Close all connections that are left."""
        self._cast.close()

    def play(self, script: Script) -> Result:
        """Play one script; what comes of it is never an exception, but for a mistake in the profile.

        Raises ProfileError.
        """
        lacking = self._profile.lacks(script)
        if lacking:
            return Result(script, Outcome.NOT_APPLICABLE, lacking)
        started = time.monotonic()
        result = Result(script, Outcome.PASSED)
        stage = Stage(self._cast, self._control, script)
        try:
            for step in script.steps:
                self._watcher.begins(stage.worded(step))
                with self._noting(result, step) as played:
                    stage.take(step)
                if played.problem:
                    break
        finally:  # also when somebody stops it: no order is left behind
            with self._noting(result, Step(0, CLEAN_UP)):
                stage.clean_up()
            self._cast.wire.heard.clear()
        result.seconds = time.monotonic() - started
        return result

    @contextmanager
    def _noting(self, result: Result, step: Step) -> Iterator[Played]:
        played = Played(step.line, step.text)
        heard = self._cast.wire.heard
        begin = len(heard)
        try:
            yield played
        except (Failed, WireError, FillError, ControlError, OSError, re.error) as error:
            played.problem = str(error)
        except Silent:
            played.problem = f"nothing came within {self._profile.patience_seconds:g} s"
        played.heard = heard[begin:]
        result.played.append(played)
        if played.problem and result.outcome is Outcome.PASSED:
            result.outcome = Outcome.FAILED
            result.reason = (
                f"line {step.line}: {played.problem}" if step.line else f"{step.text}: {played.problem}"
            )
        self._watcher.ended(played)
