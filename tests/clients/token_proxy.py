"""Adds a token to every request, for clients that cannot: `TOKEN=... token_proxy.py PORT_BEHIND` prints its own port.

Each connection carries one request, so that only heads are read and all else is handed on as it comes.
"""

import asyncio
import os
import sys

HOST = "127.0.0.1"
DROPPED = (b"authorization:", b"connection:")


async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        # Whoever ends first ends both: a client that left must be noticed behind us, and the other way round.
        writer.close()


async def serve(port_behind, token):
    async def connected(reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            writer.close()
            return
        first, *fields = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        kept = [field for field in fields if not field.lower().startswith(DROPPED)]
        added = [b"Authorization: Bearer " + token.encode(), b"Connection: close"]
        reader_behind, writer_behind = await asyncio.open_connection(HOST, port_behind)
        writer_behind.write(b"\r\n".join([first, *kept, *added, b"", b""]))
        await asyncio.gather(copy(reader, writer_behind), copy(reader_behind, writer))

    server = await asyncio.start_server(connected, HOST, 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  # its output
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), os.environ["TOKEN"]))
