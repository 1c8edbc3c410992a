"""What the processes that face the world have in common."""

import asyncio
import socket

from fixgw.edge.process import bound


def test_what_is_sent_does_not_wait_for_the_acknowledgment_of_what_was_sent_before() -> None:
    """TCP_NODELAY is set on every connection: without it the second write of an answer waits 40 ms."""

    async def run() -> int:
        delays: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peer = writer.get_extra_info("socket")
            delays.set_result(peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

        server = await asyncio.start_server(connected, sock=bound("127.0.0.1", 0))
        async with server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            is_set = await delays
            writer.close()
        return is_set

    assert asyncio.run(run())
