"""Writes the conversations of the fuzzer: good messages, and all that can be wrong with one.

The same random numbers and the same MsgSeqNums give the same bytes, but for the time in them.
"""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from scripts.bench.client import utc_now

SOH = b"\x01"
HEADER = 5  # fields from MsgType(35) to SendingTime(52), with which each message begins
HUGE_BYTES = 20_000
GARBAGE_BYTES = 300

Field = tuple[bytes, bytes]


class Part(NamedTuple):
    """Something to send. `takes` says whether the gateway is to count it as the next MsgSeqNum."""

    data: bytes
    takes: bool


NASTY = (
    *b"0|-1|1|Y|N|7|NaN|inf|1e9|0x10|+5|-0|.|1.|=|==8=FIX.4.4|^A|\\|%s%n%x|'; DROP TABLE turn; --|\r\n".split(
        b"|"
    ),
    *b"20261131-25:61:61|00000000-00:00:00|20261121-07:31:46.987654321|99999999-23:59:60|../../x".split(b"|"),
    *b"x\x0135=5|x\x0110=000|x\x0134=1|\x01|\x01\x01\x01|x\x01=\x01|x\x018=FIX.4.4\x019=5".split(b"|"),
    *b"0.000000000000000000000000000001|00000000000000000001|999999999999.99999999999".split(b"|"),
    *b"NONE|[N/A]|BTC-USD|ETH-USD|BTC|14|37|".split(b"|"),
    *(b"%d" % (sign * (1 << power)) for power in (15, 16, 31, 32, 63, 64, 200) for sign in (1, -1)),
    *(b"|", b" ", b"\xff\xfe\x80", b"\x00", b"a\x00b", b"\xc3", b"\xed\xa0\x80", b"\x7f\x1b[2J"),
    *("\u20ac\u0436\U0001f600".encode(), b"9" * 30, b"A" * 64, b"A" * 65, b"A" * 4_096),
)
TAGS = (
    b"1 6 7 8 9 10 11 14 15 16 17 22 34 35 36 37 38 40 41 43 44 48 49 50 52 54 55 56 57 58 59 60 78 79 89 "
    b"90 91 93 95 96 97 98 99 108 110 112 115 122 123 126 128 141 167 207 212 213 311 336 347 354 355 372 "
    b"383 384 447 448 452 453 454 455 460 461 523 530 553 554 555 584 585 600 627 628 711 789 790 802 803 "
    b"925 1370 5000 20002 99999 0 -1 abc 035 3.5 4294967331 9999999999999999999999999 \xff \x00  "
).split(b" ")
TYPES = (
    b"0 1 2 3 4 8 9 r j 6 7 AB AC AE B BE G V zz \xff q F H AF D DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD ".split(
        b" "
    )
)


def frame(fields: list[Field], begin: bytes = b"FIX.4.4", length: int = 0, checksum: int = 0) -> bytes:
    """A whole message; `length` and `checksum` are added to what would be right."""
    body = b"".join(b"%b=%b\x01" % field for field in fields)
    message = b"8=%b\x019=%d\x01%b" % (begin, len(body) + length, body)
    return b"%b10=%03d\x01" % (message, (sum(message) + checksum) % 256)


class Author:
    """Writes one side of a session; `number` is the MsgSeqNum of its next message."""

    def __init__(self, random: Random, sender: str, prefix: str) -> None:
        self.number = 1
        self._now = utc_now().encode()  # for a burst; each message its own would take a tenth of the time
        self._random = random
        self._sender = sender.encode()
        self._prefix = prefix
        self._ids = 0
        self._last = b""
        self._good: tuple[Callable[[], list[Field]], ...] = (
            *(
                self._order,
                self._order,
                self._order,
                self._cancel,
                self._cancel,
                self._mass_cancel,
                self._status,
            ),
            *(self._mass_status, self._heartbeat, self._test_request, self._resend_request, self._gap_fill),
        )
        self._wrong: tuple[tuple[int, Callable[[], Part]], ...] = (
            (400, self._sound),
            (420, self._mutated),
            (60, self._unsound),
            (30, self._garbage),
            (30, self._bytes_changed),
            (30, self._again),
            (15, self._absurd_resend),
            (6, self._absurd_reset),
            (3, self._wrong_number),
            (2, self._wrong_party),
            (1, self._long_promise),
            (1, self._second_logon),
            (1, lambda: self._counted(self._message(b"5", []))),
        )
        self._weights = [weight for weight, _ in self._wrong]

    def logon(self, *extra: Field, password: bytes | None = None, number: int = 1) -> bytes:
        """A Logon that resets both sequences: a good one, but for `extra` and another password."""
        if password is None:
            password = self._sender.lower() + b"-demo"
        self.number = number + 1
        fields = [(b"98", b"0"), (b"108", b"30"), (b"553", self._sender), (b"554", password), (b"141", b"Y")]
        return frame([*self._header(b"A", number), *fields, *extra])

    def part(self) -> Part:
        """The next thing to send, good or not."""
        [(_, write)] = self._random.choices(self._wrong, self._weights)
        made = write()
        if made.takes:
            self.number += 1
            self._last = made.data
        return made

    def test_request(self, word: bytes) -> bytes:
        """A good TestRequest(1); from now on it is later."""
        self._now = utc_now().encode()
        return self._next(b"1", [(b"112", word)])

    def clear(self) -> bytes:
        """A good mass cancel of everything that the session may cancel."""
        return self._next(b"q", [(b"11", self._id()), (b"530", b"7"), (b"60", self._now)])

    def fill(self, begin: int) -> bytes:
        """The answer to a ResendRequest(2) from the number `begin` on: there is nothing to send again."""
        header = self._header(b"4", begin)
        return frame(
            [*header, (b"43", b"Y"), (b"122", self._now), (b"123", b"Y"), (b"36", b"%d" % self.number)]
        )

    def heartbeat(self, word: bytes) -> bytes:
        """The answer to a TestRequest(1)."""
        return self._next(b"0", [(b"112", word)])

    def reset(self, new: bytes) -> bytes:
        """A SequenceReset(4) without GapFillFlag(123)."""
        return self._next(b"4", [(b"36", new)])

    def order(self, name: bytes) -> bytes:
        """A good NewOrderSingle(D)."""
        return self._next(b"D", self._order_fields(name, b"BTC-USD", b"1"))

    def cancel(self, name: bytes, order: bytes) -> bytes:
        """A good OrderCancelRequest(F)."""
        return self._next(b"F", [(b"41", order), *self._order_fields(name, b"BTC-USD", b"1")[:5]])

    def _next(self, msg_type: bytes, fields: list[Field]) -> bytes:
        data = frame([*self._header(msg_type, self.number), *fields])
        self.number += 1
        return data

    def _header(self, msg_type: bytes, number: int) -> list[Field]:
        return [
            (b"35", msg_type),
            (b"49", self._sender),
            (b"56", b"FIXGW"),
            (b"34", b"%d" % number),
            (b"52", self._now),
        ]

    def _message(self, msg_type: bytes, fields: list[Field]) -> list[Field]:
        return [*self._header(msg_type, self.number), *fields]

    # good messages

    def _id(self) -> bytes:
        self._ids += 1
        return f"{self._prefix}.{self._ids}".encode()

    def _some_id(self) -> bytes:
        return f"{self._prefix}.{self._random.randint(max(1, self._ids - 20), self._ids + 1)}".encode()

    def _order_fields(self, name: bytes, symbol: bytes, side: bytes) -> list[Field]:
        fields = [(b"11", name), (b"55", symbol), (b"54", side), (b"60", self._now)]
        return [*fields, (b"38", b"10"), (b"40", b"2"), (b"44", b"100")]

    def _some_order_fields(self) -> list[Field]:
        symbol = self._random.choice((b"BTC-USD", b"BTC-USD", b"ETH-USD", b"BTC-PERP"))
        return self._order_fields(self._id(), symbol, self._random.choice((b"1", b"1", b"2")))

    def _order(self) -> list[Field]:
        return self._message(b"D", self._some_order_fields())

    def _cancel(self) -> list[Field]:
        target = self._some_id()
        return self._message(b"F", [(b"41", target), *self._some_order_fields()[:5]])

    def _mass_cancel(self) -> list[Field]:
        scope = self._random.choice((b"1", b"2", b"3", b"4", b"5", b"6", b"7"))
        fields = [(b"11", self._id()), (b"530", scope), (b"60", self._now)]
        return self._message(b"q", fields + self._scope_field(scope))

    def _scope_field(self, scope: bytes) -> list[Field]:
        named = {
            b"1": (b"55", b"BTC-USD"),
            b"2": (b"311", b"BTC"),
            b"3": (b"460", b"4"),
            b"4": (b"461", b"IFXXXP"),
        }
        named |= {b"5": (b"167", b"FOR"), b"6": (b"336", b"DAY")}
        return [named[scope]] if scope in named else []

    def _status(self) -> list[Field]:
        fields = [(b"11", self._some_id()), (b"55", b"BTC-USD"), (b"54", b"1"), (b"790", self._id())]
        return self._message(b"H", fields)

    def _mass_status(self) -> list[Field]:
        scope = self._random.choice((b"1", b"7", b"8"))
        return self._message(b"AF", [(b"584", self._id()), (b"585", scope), *self._scope_field(scope)])

    def _heartbeat(self) -> list[Field]:
        return self._message(b"0", [])

    def _test_request(self) -> list[Field]:
        return self._message(b"1", [(b"112", self._id())])

    def _resend_request(self) -> list[Field]:
        begin = self._random.randint(1, max(1, self.number))
        end = self._random.choice((0, begin, begin + 3))
        return self._message(b"2", [(b"7", b"%d" % begin), (b"16", b"%d" % end)])

    def _gap_fill(self) -> list[Field]:
        return self._message(b"4", [(b"123", b"Y"), (b"36", b"%d" % (self.number + 1))])

    # what can be wrong

    def _counted(self, fields: list[Field]) -> Part:
        return Part(frame(fields), takes=True)

    def _sound(self) -> Part:
        return self._counted(self._random.choice(self._good)())

    def _mutated(self) -> Part:
        """Fields dropped, doubled, moved, replaced, put in: of the body, and now and then of the header."""
        fields = self._random.choice(self._good)()
        for _ in range(self._random.choice((1, 1, 1, 2, 3))):
            self._mutate(fields)
        return self._counted(fields)

    def _mutate(self, fields: list[Field]) -> None:
        random = self._random
        first = 0 if random.random() < 0.004 else HEADER
        if first >= len(fields):
            fields.append((random.choice(TAGS[3:]), random.choice(NASTY)))
            return
        at = random.randrange(first, len(fields))
        tag, value = fields[at]
        match random.randrange(12):
            case 0:
                del fields[at]
            case 1:
                fields.insert(random.randint(first, len(fields)), (tag, value))
            case 2:
                fields.append(fields.pop(at))
            case 3:
                fields.insert(at, (random.choice(TAGS), random.choice(NASTY)))
            case 4:
                fields[at] = random.choice(TAGS), value
            case 5 if random.random() < 0.1:
                fields[at] = tag, random.randbytes(random.randrange(HUGE_BYTES))
            case 6:
                fields[at] = tag, random.randbytes(random.randrange(12)).replace(SOH, b"")
            case 7:
                fields[at] = tag, value + random.choice(NASTY)
            case 8:
                fields[0] = b"35", random.choice(TYPES)
            case 9:
                fields += self._group()
            case _:
                fields[at] = tag, random.choice(NASTY)

    def _group(self) -> list[Field]:
        """Parties, or what is almost so."""
        random = self._random
        entries = [
            (tag, random.choice((good, good, random.choice(NASTY))))
            for _ in range(random.randrange(4))
            for tag, good in ((b"448", b"37"), (b"447", b"D"), (b"452", random.choice((b"11", b"16"))))
        ]
        if random.random() < 0.3:
            random.shuffle(entries)
        count = random.choice((b"%d" % (len(entries) // 3), random.choice(NASTY)))
        return [(b"453", count), *entries]

    def _unsound(self) -> Part:
        """A message whose length, sum or end is wrong: not to be counted, nor to be answered."""
        random, fields = self._random, self._random.choice(self._good)()
        match random.randrange(5):
            case 0:
                data = frame(fields, checksum=random.randint(1, 255))
            case 1:
                data = frame(fields, length=random.choice((-1, 1, -20, 20, -1_000)))
            case 2:
                whole = frame(fields)
                data = whole[: random.randrange(len(whole) - 1)]
            case 3:
                data = self._with_changed_bytes(frame(fields))
            case _:
                length = random.choice((b"", b"x", b"-5", b"0", b"99999999999999999999", b"1e3", b" 50"))
                data = b"8=FIX.4.4\x019=%b\x01" % length + frame(fields).split(SOH, 2)[2]
        return Part(data, takes=False)

    def _with_changed_bytes(self, data: bytes) -> bytes:
        changed, random = bytearray(data), self._random
        for _ in range(random.choice((1, 1, 2, 8))):
            at = random.randrange(len(changed) or 1)
            changed += b"" if changed else b"x"
            match random.randrange(4):
                case 0:
                    changed[at] = random.randrange(256)
                case 1:
                    changed[at] ^= 1 << random.randrange(8)
                case 2:
                    changed.insert(at, random.randrange(256))
                case _:
                    del changed[at : at + random.choice((1, 1, 5))]
        return bytes(changed)

    def _bytes_changed(self) -> Part:
        """Bytes of the body changed, with a length and a sum that are right again."""
        fields = self._random.choice(self._good)()
        body = b"".join(b"%b=%b\x01" % field for field in fields[HEADER:]) or b"58=x\x01"
        begin = b"".join(b"%b=%b\x01" % field for field in fields[:HEADER])
        body = begin + self._with_changed_bytes(body)
        message = b"8=FIX.4.4\x019=%d\x01%b" % (len(body), body)
        return Part(b"%b10=%03d\x01" % (message, sum(message) % 256), takes=True)

    def _garbage(self) -> Part:
        """Bytes between the messages."""
        garbage = self._random.randbytes(self._random.randrange(GARBAGE_BYTES))
        return Part(
            self._random.choice((garbage, b"\r\n", SOH * 5, b"8=", b"8=FIX.4.4\x01", garbage + b"8=")),
            takes=False,
        )

    def _again(self) -> Part:
        """The last message again, marked as a possible duplicate."""
        fields = [*self._random.choice(self._good)(), (b"43", b"Y"), (b"122", self._now)]
        number = max(1, self.number - self._random.randint(1, 5))
        fields[3] = b"34", b"%d" % number
        return Part(frame(fields), takes=False)

    def _absurd_resend(self) -> Part:
        numbers = (
            b"0",
            b"1",
            b"-1",
            b"5",
            b"999999",
            b"%d" % (1 << 31),
            b"%d" % (1 << 63),
            b"9" * 25,
            b"",
            b"x",
        )
        begin, end = self._random.choice(numbers), self._random.choice(numbers)
        return self._counted(self._message(b"2", [(b"7", begin), (b"16", end)]))

    def _absurd_reset(self) -> Part:
        numbers = (
            b"0",
            b"1",
            b"-1",
            b"5",
            b"%d" % (1 << 31),
            b"%d" % (1 << 63),
            b"9" * 25,
            b"",
            b"x",
            b"%d" % self.number,
        )
        fields = [(b"36", self._random.choice(numbers))]
        if self._random.random() < 0.5:
            fields.insert(0, (b"123", self._random.choice((b"Y", b"N", b"x"))))
        return self._counted(self._message(b"4", fields))

    def _wrong_number(self) -> Part:
        number = self.number
        numbers = (0, -1, 1, number - 1, number + 1, number + 1_000, 1 << 31, 1 << 63, 10**25)
        fields = self._random.choice(self._good)()
        fields[3] = b"34", self._random.choice((*(b"%d" % number for number in numbers), b"", b"x", b"1.5"))
        return Part(frame(fields), takes=False)

    def _wrong_party(self) -> Part:
        fields = self._random.choice(self._good)()
        at = self._random.choice((1, 2, 4))
        fields[at] = fields[at][0], self._random.choice((b"TRADER38", b"FIXGW", b"FIXGW-WATCH", *NASTY))
        begin = self._random.choice((b"FIX.4.4", b"FIX.4.4", b"FIX.4.2", b"FIXT.1.1", b"", b"FIX.4.4" * 50))
        return Part(frame(fields, begin), takes=True)

    def _long_promise(self) -> Part:
        """The beginning of a message that would be very long."""
        length = self._random.choice((100_000, 1_000_000_000, 1 << 31, 1 << 32, 1 << 63))
        return Part(b"8=FIX.4.4\x019=%d\x0135=D\x01" % length, takes=False)

    def _second_logon(self) -> Part:
        fields = [(b"98", b"0"), (b"108", b"30"), (b"553", self._sender), (b"554", b"wrong")]
        fields += [(b"141", b"Y")] if self._random.random() < 0.3 else []
        return self._counted(self._message(b"A", fields))
