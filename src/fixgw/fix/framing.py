"""What stands around the fields of a FIX message: BeginString(8), BodyLength(9) and CheckSum(10)."""

from zlib import adler32

_SUMMED = 256  # bytes: 256 * 255 is less than what Adler-32 is taken modulo


def check_sum(data: bytes) -> int:
    """CheckSum(10): the sum of the bytes modulo 256.

    The low half of Adler-32 is one more than the sum of the bytes, at a hundredth of the time that Python
    takes to add them up.
    """
    if len(data) <= _SUMMED:
        return ((adler32(data) & 0xFFFF) - 1) & 0xFF
    parts = (data[at : at + _SUMMED] for at in range(0, len(data), _SUMMED))
    return sum((adler32(part) & 0xFFFF) - 1 for part in parts) & 0xFF


def message(begin_string: bytes, body: bytes) -> bytes:
    """The whole message with this body, which begins with MsgType(35) and ends with SOH."""
    whole = b"8=%s\x019=%d\x01%s" % (begin_string, len(body), body)
    return b"%s10=%03d\x01" % (whole, check_sum(whole))
