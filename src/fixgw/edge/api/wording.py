"""What a refusal says, in the words of the API that it is told in."""

import re
from collections.abc import Mapping

_FIELD = re.compile(r"[A-Z][A-Za-z]+\(\d+\)(?:=\S+ with PartyRole\(452\)=\d+| with PartyRole\(452\)=\d+)?")


def worded(detail: str, names: Mapping[str, str]) -> str:
    """`detail` with the FIX fields in it called as `names` calls them: by the field as it is written there.

    A party is looked up with its role, as "PartyID(448) with PartyRole(452)=11"; its value stays. A field
    that `names` has not got loses its tag.
    """

    def name(match: re.Match[str]) -> str:
        field, _, rest = match[0].partition(" with ")
        field, equals, value = field.partition("=")
        key = f"{field} with {rest}" if rest else field
        return f"{names.get(key, field.partition('(')[0])}{equals}{value}"

    return _FIELD.sub(name, detail)
