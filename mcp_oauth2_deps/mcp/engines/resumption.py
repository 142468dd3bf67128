"""Streams that a client resumes (`Last-Event-ID`), each within the session it belongs to.

Needs the MCP SDK: imported only where a server of the SDK is started with an event store.
"""

import inspect
from typing import Any
from uuid import uuid4

from mcp.server.streamable_http import EventCallback, EventId, EventMessage, EventStore, StreamId
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager


class SessionEvents(EventStore):
    """The part of a store that belongs to one session.

    The SDK names a stream by the id of the request that opened it. Clients choose these ids, so two sessions have the same
    ones, and an event's id alone would open another caller's stream.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._prefix = f"{uuid4().hex}:"

    async def store_event(self, stream_id: StreamId, message: Any) -> EventId:
        """Stores an event, under a stream name that only this session has."""
        return await self._store.store_event(self._prefix + stream_id, message)

    async def replay_events_after(self, last_event_id: EventId, send_callback: EventCallback) -> StreamId | None:
        """Sends what came after this event, if the event is of this session; nothing otherwise."""
        events: list[EventMessage] = []

        async def keep(event: EventMessage) -> None:
            events.append(event)

        # The store tells whose events they were only after it handed them out.
        stream_id = await self._store.replay_events_after(last_event_id, keep)
        if stream_id is None or not stream_id.startswith(self._prefix):
            return None
        for event in events:
            await send_callback(event)
        return stream_id.removeprefix(self._prefix)


class SessionManager(StreamableHTTPSessionManager):
    """The SDK's manager, but each session has events of its own."""

    @classmethod
    def like(cls, made: StreamableHTTPSessionManager) -> "SessionManager":
        """One with the same options as this one, which was not started."""
        names = inspect.signature(StreamableHTTPSessionManager).parameters
        return cls(**{name: getattr(made, name) for name in names})

    @property
    def event_store(self) -> EventStore | None:
        """Asked for once by each session."""
        return None if self._shared is None else SessionEvents(self._shared)

    @event_store.setter
    def event_store(self, store: EventStore | None) -> None:
        self._shared = store
