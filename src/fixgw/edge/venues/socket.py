"""A WebSocket that knows when something came last, be it a part of a message: a long one takes its time."""

from websockets.asyncio.client import ClientConnection


class Socket(ClientConnection):
    """Knows how many bytes have come, and when the last did (seconds of the loop's clock)."""

    received = 0
    received_at = 0.0

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self.received += len(data)
        self.received_at = self.loop.time()
        super().data_received(data)
