"""What the processes that face the world have in common."""

import asyncio
import socket

from fixgw.edge.process import bound


def test_what_is_sent_does_not_wait_for_the_acknowledgment_of_what_was_sent_before() -> None:
    """TCP_NODELAY is set on every connection: without it the second write of an answer waits 40 ms."""

    async def run() -> bool:
        accepted: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
        listener = bound("127.0.0.1", 0)
        async with await asyncio.start_server(lambda _, writer: accepted.set_result(writer), sock=listener):
            _, client = await asyncio.open_connection(*listener.getsockname())
            server = await accepted
            peer = server.get_extra_info("socket")
            is_set = bool(peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            for writer in (server, client):
                writer.close()
                await writer.wait_closed()
        return is_set

    assert asyncio.run(run())
