"""An ASGI app for this machine only: on a loopback port, in a thread, and under its own names; for tests and development."""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_oauth2_deps.protocol.urls import host_fields, is_loopback_host

_START_SECONDS = 10


def bind_loopback(port: int = 0, host: str = "127.0.0.1") -> socket.socket:
    """A listening socket that other machines cannot reach.

    Raises:
        ValueError: the host can be reached from elsewhere.
        OSError: the port is taken.
    """
    if not is_loopback_host(host):
        raise ValueError(f"{host!r} is not a loopback host; the development issuer is for this machine only")
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # Two may bind a port under SO_REUSEADDR until one listens.
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


class LoopbackServer:
    """Serves an ASGI app on a loopback port, in a thread, while its `with` block runs.

    Attributes:
        app: what is served.
        port: the port.
        url: where it is served, without a slash at the end.

    Example:
        ```python
        from urllib.request import urlopen

        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route

        from mcp_oauth2_deps.testing import LoopbackServer

        app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("hello"))])
        with LoopbackServer(app) as server, urlopen(server.url) as answer:
            assert answer.read() == b"hello"
        ```
    """

    def __init__(self, app: Any, *, port: int = 0, host: str = "127.0.0.1") -> None:
        """Binds the port at once, so that its number is known before the app runs.

        Raises:
            ValueError: the host can be reached from elsewhere.
            OSError: the port is taken.
        """
        self.app = app
        self._socket = bind_loopback(port, host)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def __enter__(self) -> Self:
        try:
            import uvicorn  # noqa: PLC0415  # an extra
        except ImportError:
            raise ImportError("a server is needed here; install mcp-oauth2-deps[testing]") from None
        self._server = uvicorn.Server(uvicorn.Config(self.app, log_level="warning"))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                self.close()
                raise RuntimeError("the server on loopback did not start; its log says why")
            time.sleep(0.005)
        return self

    def _run(self) -> None:
        # uvicorn ends the process when a start fails. Here only its thread ends, and __enter__ raises.
        with suppress(SystemExit):
            self._server.run(sockets=[self._socket])

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stops serving and frees the port.

        Example:
            `server.close()`
        """
        self._server.should_exit = True
        self._thread.join(_START_SECONDS)
        self._socket.close()


class LoopbackGuard:
    """Refuses requests from other machines, and requests that name another host than this server in `Host`.

    A page on the web can make its own name resolve to 127.0.0.1 (DNS rebinding). The browser then takes this server for the
    page's own, and lets the page read every answer. `Host` still holds the page's name, so it is compared with the names of
    this server: the host and port of its URL, and `localhost`, `127.0.0.1` and `[::1]` with the port that it listens on.
    `X-Forwarded-Host` is never read.
    """

    def __init__(self, app: ASGIApp, url: Callable[[], str]) -> None:
        """Guards `app`; `url` says where it is meant to be reached, and is asked again for each request."""
        self._app = app
        self._url = url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands the request to the app, or answers 403 (another machine), 400 (no `Host`, or two) or 421 (another host)."""
        answer = self._app if scope["type"] == "lifespan" else self._refusal(scope) or self._app
        await answer(scope, receive, send)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        caller = scope.get("client")
        if caller is None or not is_loopback_host(caller[0]):
            return PlainTextResponse("This server is for this machine only.\n", status_code=403)
        fields = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"host"]
        if len(fields) != 1:
            return PlainTextResponse("The request must hold exactly one Host field.\n", status_code=400)
        _, port = scope.get("server") or (None, None)
        here = host_fields(f"http://127.0.0.1:{port}")[0] if port else ()
        names = dict.fromkeys((*host_fields(self._url())[0], *here))
        if fields[0] in names:
            return None
        return PlainTextResponse(f"This server is for this machine only, and answers as {', '.join(names)}.\n", status_code=421)
