"""How fast a connection is read: what comes faster than its rates is read later, and never dropped."""

BURST_SECONDS = 1.0  # what a connection may send at once, as the time in which its rates allow it


class Pace:
    """Two budgets, of messages and of bytes, that fill up by the second. `now` is seconds from any point."""

    def __init__(self, messages_per_second: int, bytes_per_second: int, now: float) -> None:
        self._rates = messages_per_second, bytes_per_second
        self._messages = messages_per_second * BURST_SECONDS
        self._bytes = bytes_per_second * BURST_SECONDS
        self._filled = now

    def change(self, messages_per_second: int, bytes_per_second: int) -> None:
        """Have other rates from now on."""
        self._rates = messages_per_second, bytes_per_second

    def spend(self, messages: int, size: int, now: float) -> float:
        """Count what was read, `messages` of `size` bytes together; the seconds to wait before reading on."""
        passed = now - self._filled
        self._filled = now
        rate, byte_rate = self._rates
        self._messages = min(self._messages + passed * rate, rate * BURST_SECONDS) - messages
        self._bytes = min(self._bytes + passed * byte_rate, byte_rate * BURST_SECONDS) - size
        return max(0.0, -self._messages / rate, -self._bytes / byte_rate)
