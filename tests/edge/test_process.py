"""What the processes of the edge have in common."""

import asyncio
import socket

from fixgw.edge.process import bound
from tests.gateway import free_port


def test_no_answer_waits_for_an_acknowledgement_of_the_one_before() -> None:
    """Connections of a port have TCP_NODELAY, however they are taken."""

    async def run() -> int:
        loop = asyncio.get_running_loop()
        with bound("127.0.0.1", free_port()) as listener, socket.socket() as client:
            listener.listen()
            client.setblocking(False)
            await loop.sock_connect(client, listener.getsockname())
            peer, _ = await loop.sock_accept(listener)
            transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, peer)
            found = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            transport.close()
            return int(found)

    assert asyncio.run(run())
