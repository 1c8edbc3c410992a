"""The profile of what is certified: who logs on, what is traded, what it can do, and how it is controlled."""

import ssl
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
)

from fixgw.certify.grammar import KEYED, Script
from fixgw.fix.decode import split
from fixgw.secret_text import SecretError, secret_text

STOCK_DICTIONARY = Path(sys.prefix) / "share" / "quickfix" / "FIX44.xml"
"""FIX 4.4 as it is published, which the quickfix package brings along."""

ANSWERED_BY = {"instrument": "fields", "party": "user"}
"""The keys of placeholders that are called otherwise."""

Word = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]


def _are_fields(text: str) -> str:
    if not all(tag for tag, _ in split(text)):
        raise ValueError("write fields as tag=value, with | between them")
    return text


Fields = Annotated[str, AfterValidator(_are_fields)]


class ProfileError(Exception):
    """The profile cannot be used; the text names the file and each wrong key."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Connection(_Table):
    """How a session is opened. `heartbeat` is in seconds."""

    target_comp_id: str
    heartbeat: int = Field(default=30, ge=1)
    reset: bool = True
    tls: bool = False
    certificate_authority: str = ""
    server_name: str = ""


class Role(_Table):
    """The real session that plays a role of the scripts."""

    comp_id: str
    username: str = ""
    password: SecretStr = SecretStr("")
    user: str = ""
    dialect: Literal["strict", "extended", "any"] = "any"
    certificate: str = ""
    key: str = ""


class Instrument(_Table):
    """An instrument: the fields that name it, and the values that a mass cancel can name it by."""

    fields: Fields
    symbol: str = ""
    underlying: str = ""
    product: str = ""
    cfi: str = ""
    type: str = ""
    session: str = ""
    price: str = "10"

    @property
    def pairs(self) -> tuple[tuple[int, str], ...]:
        """The fields as tag and value."""
        return tuple(split(self.fields))


class CleanUp(_Table):
    """How what is left open is canceled: order by order, or all at once by the request of a role."""

    how: Literal["each", "mass"] = "each"
    role: str = ""
    request: Fields = "35=q|530=7"


class Profile(_Table):
    """What is certified. `patience_seconds` is how long an answer may take."""

    name: str
    patience_seconds: float = Field(default=5.0, gt=0)
    connection: Connection
    features: frozenset[str] = frozenset()
    roles: dict[Word, Role]
    instruments: dict[Word, Instrument]
    accounts: dict[Word, str] = {}
    values: dict[str, str] = {}
    controls: dict[str, list[str]] = {}
    restore: dict[str, str] = {}
    clean_up: CleanUp = CleanUp()
    directory: Path = Field(default=Path(), exclude=True)

    def with_values(self, said: Iterable[str]) -> "Profile":
        """The profile with some of its values replaced, each as "name=value". Raises ProfileError."""
        values = dict(self.values)
        for one in said:
            name, equals, value = one.partition("=")
            if not equals or name not in values:
                known = ", ".join(sorted(values)) or "none"
                raise ProfileError(f"--set {one}: it is NAME=VALUE, with a name that [values] has: {known}")
            values[name] = value
        return self.model_copy(update={"values": values})

    def lacks(self, script: Script) -> str:
        """Why a script does not apply, "" if it does."""
        for need in script.needs:
            if need not in self.features:
                return f"the profile does not offer {need}"
        for table, key, word in sorted(script.uses):
            if key not in getattr(self, table):
                return f"the profile has no {table}.{key}"
            if word and not self.value(word, key):
                return f"the profile does not say {ANSWERED_BY.get(word, word)} in {table}.{key}"
        return ""

    def value(self, word: str, key: str) -> str:
        """What `{word key}` stands for; the word's table must have `key`. Raises ProfileError."""
        table, word = KEYED[word], ANSWERED_BY.get(word, word)
        if table == "accounts":
            return self.accounts[key]
        if table == "roles":
            role = self.roles[key]
            return self.password(key) if word == "password" else str(getattr(role, word))
        return str(getattr(self.instruments[key], word))

    def password(self, role: str) -> str:
        """The password of a role, "" if it has none. Raises ProfileError."""
        said = self.roles[role].password
        try:
            return secret_text(said, self.directory) if said.get_secret_value() else ""
        except SecretError as error:
            raise ProfileError(f"roles.{role}.password: {error}") from None

    def tls(self, role: str) -> ssl.SSLContext | None:
        """How this role's connections are secured, None if they are not. Raises ProfileError."""
        if not self.connection.tls:
            return None
        own = self.roles[role]
        authority, certificate, key = (
            self.directory / name if name else None
            for name in (self.connection.certificate_authority, own.certificate, own.key)
        )
        try:
            context = ssl.create_default_context(cafile=authority)
            if certificate is not None:
                context.load_cert_chain(certificate, key)
        except OSError as error:
            files = ", ".join(str(file) for file in (authority, certificate, key) if file is not None)
            raise ProfileError(f"a certificate or key of {role} cannot be used: {error} ({files})") from None
        return context


def load(path: Path) -> Profile:
    """Read a profile. Raises ProfileError with every problem."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ProfileError(f"{path}: {error}") from None
    try:
        profile = Profile.model_validate({**data, "directory": path.parent})
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise ProfileError("\n".join(f"{path}: {problem}" for problem in problems)) from None
    for name, restoring in profile.restore.items():
        for control in (name, restoring):
            if control not in profile.controls:
                raise ProfileError(f"{path}: restore.{name}: there is no control {control}")
    strict = sorted(name for name, role in profile.roles.items() if role.dialect == "strict")
    if strict and not STOCK_DICTIONARY.is_file():
        raise ProfileError(
            f"{path}: roles.{strict[0]}.dialect: strict needs {STOCK_DICTIONARY}, which is not there; "
            'write "any"'
        )
    if profile.clean_up.how == "mass" and profile.clean_up.role not in profile.roles:
        raise ProfileError(f"{path}: clean_up.role: there is no role {profile.clean_up.role!r}")
    return profile
