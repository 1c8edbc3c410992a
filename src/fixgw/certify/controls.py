"""Makes the venue do something that no client can: hold its answers, fill an order, refuse a cancel."""

import subprocess
from collections.abc import Callable, Mapping

from fixgw.certify.profile import Profile

CONTROL_SECONDS = 60.0

Control = Callable[[str, Mapping[str, str]], None]
"""Takes the control's name and its arguments; raises ControlError."""


class ControlError(Exception):
    """The venue could not be made to do it; the text says why."""


def by_command(profile: Profile) -> Control:
    """The controls as commands of the operating system, as the profile has them."""

    def control(name: str, arguments: Mapping[str, str]) -> None:
        known = {**profile.values, **arguments}
        try:
            command = [word.format_map(known) for word in profile.controls[name]]
        except (KeyError, ValueError) as error:
            raise ControlError(f"control {name} needs {error}") from None
        try:
            done = subprocess.run(  # noqa: S603 - the user's own commands, from his own profile
                command, capture_output=True, text=True, timeout=CONTROL_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ControlError(f"control {name}: {error}") from None
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise ControlError(f"control {name} ended with {done.returncode}: {said}")

    return control
