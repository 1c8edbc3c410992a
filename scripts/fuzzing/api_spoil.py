"""What can be wrong with JSON: values of any type and size, keys that are missing, odd or there twice.

JSON is written by hand here, so that it can be wrong in every way.
"""

from collections.abc import Callable
from random import Random

Pairs = list[tuple[str, str]]
"""The members of an object: keys without quotes, values as they stand in JSON."""

MESSAGE_BYTES_MAX = 65_536  # what the reference configuration allows for a body and for a frame
SEVERAL_SHARE = 0.2  # of the wrong objects, in which more than one thing is

NUMBERS = [
    *[
        "0",
        "-0",
        "-1",
        "1",
        "7",
        "14",
        "15",
        "16",
        "25",
        "1.5",
        "0.1",
        "1e3",
        "1E+2",
        "1e-12",
        "1e999999999",
        "1e-999999999",
        "-1e999999999",
        "1e400",
    ],
    *["9223372036854775807", "9223372036854775808", "18446744073709551616", "-9223372036854775809"],
    *["123456789012345.123456789012", "999999999999999999", "1e99999999999999999999"],
    *["NaN", "Infinity", "-Infinity", "01", "1.", ".5", "+1", "0x10", "1_000", "1e", "--1", "١"],
    *("1" + "0" * zeros for zeros in (400, 4_299, 4_300)),
    "9" * 20_000,
    "0." + "3" * 28,
    "0." + "0" * 400 + "1",
]
TEXTS = [
    *[
        "0",
        "1",
        "14",
        "25",
        "x",
        "null",
        "NaN",
        "Infinity",
        "1e999999999",
        "1e400",
        "0.5",
        "-1",
        "true",
        "BTC-USD",
        "SANDBOX",
        "SANDBOX/15",
        "SANDBOX/16",
    ],
    *["SANDBOX/", "S1", "BUY", "LIMIT", "١٤", "é", "😀", "%00", "../..", "';", "--", "{}"],
    *[r"\ud800", r"\udc00\ud800", r"\u0000", r"\u0001", r"\n", r"\u2028", r"\u202e", r"\""],
    "",
    " ",
    "\ufeff",
    "SANDBOX/" + "9" * 400,
    *("x" * size for size in (65, 1_000, 60_000)),
    *("9" * size for size in (19, 5_000)),
]
WORDS = [
    *[
        "true",
        "false",
        "null",
        "undefined",
        "True",
        "None",
        "{}",
        "[]",
        "[1]",
        '{"a":1}',
        '["14"]',
        "[null]",
        "[[[]]]",
    ],
    "",
]
DEPTHS = (2, 50, 100, 200, 300, 400, 500, 700, 900, 950, 990, 1_000, 1_500, 5_000, 30_000)
OBJECT_DEPTH_MAX = 8_000  # of objects: each takes more bytes than a list
KEYS = [
    *[
        r"x",
        r"omsid",
        r"OMSID",
        r"AccountID",
        r"__proto__",
        r"\ud800",
        r"o",
        r"apikey",
        r"strategy",
        r"IntrumentId",
    ],
    "",
    "a" * 5_000,
]


def text(value: str) -> str:
    """A text in JSON, of what stands between the quotes."""
    return f'"{value}"'


def members(pairs: Pairs) -> str:
    """An object in JSON."""
    return "{" + ",".join(f"{text(key)}:{value}" for key, value in pairs) + "}"


def in_text(json_text: str) -> str:
    """JSON as a text in JSON."""
    return text(json_text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))


class Spoiler:
    """Makes things wrong; which, and how, depends on the random numbers alone."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def value(self) -> str:
        """A value of any type, or of none."""
        what = self._random.randrange(10)
        if what < 4:
            return self._random.choice(NUMBERS)
        if what < 8:
            return text(self._random.choice(TEXTS))
        if what < 9:
            return self._random.choice(WORDS)
        depth = self._random.choice(DEPTHS)
        begin, end = self._random.choice([("[", "]"), ('{"a":', "}")])
        depth = min(depth, OBJECT_DEPTH_MAX) if begin != "[" else depth
        return begin * depth + ("1" if begin != "[" else "") + end * depth

    def wrong(self, pairs: Pairs) -> str:
        """The object with something wrong in it."""
        pairs = list(pairs)
        for _ in range(1 + (self._random.random() < SEVERAL_SHARE) * self._random.randrange(3)):
            what = self._random.randrange(8)
            place = self._random.randrange(len(pairs)) if pairs else 0
            if what < 4 and pairs:
                pairs[place] = (pairs[place][0], self.value())
            elif what == 4 and pairs:
                del pairs[place]
            elif what == 5:
                pairs.append((self._random.choice(KEYS), self.value()))
            elif what == 6 and pairs:
                twice = self._random.choice([pairs[place][1], self.value()])
                pairs.append((self._random.choice([pairs[place][0], pairs[place][0].swapcase()]), twice))
            elif pairs:
                pairs[place] = (pairs[place][0].swapcase(), pairs[place][1])
        whole = members(pairs)
        if self._random.random() < 0.1:
            return self._random.choice(
                [
                    f"[{whole}]",
                    whole + whole,
                    whole + "x",
                    "\ufeff" + whole,
                    in_text(whole),
                    self.value(),
                    f" {whole}\n",
                    "",
                ]
            )
        return whole

    def cut(self, data: bytes) -> bytes:
        """Mostly the same; now and then with an end or a middle that is missing."""
        if self._random.random() < 0.9 or len(data) < 2:
            return data
        begin, end = sorted(self._random.sample(range(len(data) + 1), 2))
        return self._random.choice([data[:end], data[:begin] + data[end:], data[begin:]])

    def odd_bytes(self, said: str) -> bytes:
        """A body that is encoded wrongly, empty, or too long."""
        data = said.encode("utf-8", "surrogatepass")
        ways: list[Callable[[], bytes]] = [
            lambda: said.encode("utf-16", "surrogatepass"),
            lambda: said.encode("utf-32", "surrogatepass"),
            lambda: data.replace(b'"', b"\xff"),
            lambda: self.cut(data[: len(data) // 2]),
            lambda: b"\x1f\x8b\x08" + data,
            lambda: b"",
            lambda: b" " * (MESSAGE_BYTES_MAX - 10) + data[:10],
            lambda: data + b" " * MESSAGE_BYTES_MAX,
        ]
        return self._random.choice(ways)()
