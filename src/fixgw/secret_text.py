"""Secrets of the configuration that stand elsewhere: in a file, or in the environment."""

import os
from pathlib import Path

from pydantic import SecretStr

SECRET_BYTES_MAX = 4_096


class SecretError(Exception):
    """A secret cannot be had; the text says why, and never what it is."""


def secret_text(said: SecretStr, directory: Path) -> str:
    """What "file:PATH" (relative to `directory`) or "env:NAME" stands for, or else the text itself.

    The end of a file's last line is not part of it. Raises SecretError.
    """
    text = said.get_secret_value()
    kind, colon, name = text.partition(":")
    if colon and kind == "file":
        text, where = _read(directory / name), f"the file {directory / name}"
    elif colon and kind == "env":
        text, where = os.environ.get(name, ""), f"the environment's {name}"
    else:
        where = "it"
    if not text:
        raise SecretError(f"{where} is empty or missing")
    return text


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            found = file.read(SECRET_BYTES_MAX + 1)
        if len(found) > SECRET_BYTES_MAX:
            raise SecretError(f"{path} has more than {SECRET_BYTES_MAX} bytes")
        return found.decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise SecretError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SecretError(f"{path} is not text in UTF-8") from error
