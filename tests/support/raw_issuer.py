"""An issuer on a bare socket, which can send what no HTTP server would, and a watch on how long an event loop stands still."""

import asyncio
import gc
import ipaddress
import math
import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@contextmanager
def raw_issuer(pieces, tls=None):
    """Answers every request with these bytes, as long as somebody takes them; yields the URL.

    Args:
        pieces: makes an iterator over what is sent.
        tls: a `Certificate`; then each byte comes in a record of its own.
    """

    def answer(connection):
        with connection, suppress(OSError):
            connection.settimeout(10)
            if tls is None:
                connection.recv(65536)
                for piece in pieces():
                    connection.sendall(piece)
            else:
                connection.sendall(tls.in_single_bytes(connection, b"".join(pieces())))
            connection.recv(1)

    with _served(answer) as port:
        yield f"http{'' if tls is None else 's'}://127.0.0.1:{port}"


@contextmanager
def _served(answer):
    """Hands each connection to this function, in a thread of its own; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        ended = threading.Event()

        def serve():
            while not ended.is_set():
                with suppress(TimeoutError):
                    connection, _ = listener.accept()
                    threading.Thread(target=answer, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            thread.join(10)


@contextmanager
def tunnelling_proxy():
    """A proxy that connects whoever asks by CONNECT; yields its URL, and the places that were asked for."""
    asked = []

    def copy(source, target):
        with suppress(OSError):
            while piece := source.recv(65536):
                target.sendall(piece)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def tunnel(connection):
        with connection, suppress(OSError):
            asked.append(connection.recv(65536).split()[1].decode())
            host, port = asked[-1].split(":")
            with socket.create_connection((host, int(port))) as far:
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=copy, args=(far, connection), daemon=True)
                back.start()
                copy(connection, far)
                back.join(10)

    with _served(tunnel) as port:
        yield f"http://127.0.0.1:{port}", asked


class Certificate:
    """A certificate for 127.0.0.1 that its own file vouches for."""

    def __init__(self, folder):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.path = folder / "certificate.pem"
        self.path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )

    def in_single_bytes(self, connection, answer):
        """Shakes hands, takes the request, and returns this answer in records of one byte."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = context.wrap_bio(incoming, outgoing, server_side=True)
        for step in (server.do_handshake, lambda: server.read(65536)):
            while True:
                try:
                    step()
                    break
                except ssl.SSLWantReadError:
                    connection.sendall(outgoing.read())
                    received = connection.recv(65536)
                    if not received:
                        raise OSError("the client went away") from None
                    incoming.write(received)
        for place in range(len(answer)):
            server.write(answer[place : place + 1])
        return outgoing.read()


async def longest_step(work, *, enough=0.0, runs=30):
    """How long one step of this work keeps the event loop at most, in seconds, as the least of some runs of it.

    What the work does itself, it does in each run. A virtual machine bills a thread for the time in which the host stopped all of
    it, at any step of some runs; so a run that was not stopped is looked for.

    Args:
        work: an async function without arguments, which does the same each time.
        enough: a run without any step as long as this ends the search.
        runs: how many there are at most.
    """
    least = math.inf
    for _ in range(runs):
        least = min(least, await _longest_step_of_one(work))
        if least < enough:
            break
    return least


async def _longest_step_of_one(work):
    """Processor time of this thread, which other processes do not stretch, without that of the garbage collector."""
    longest, ended = 0.0, False

    async def watch():
        nonlocal longest
        before = time.thread_time()
        while not ended:
            await asyncio.sleep(0)
            now = time.thread_time()
            longest = max(longest, now - before)
            before = now

    gc.collect()
    gc.disable()
    task = asyncio.create_task(watch())
    await asyncio.sleep(0)
    try:
        await work()
    finally:
        ended = True
        gc.enable()
        await task
    return longest
