"""An event store of the MCP SDK in memory, one for all sessions, as users write it."""

from mcp.server.streamable_http import EventMessage, EventStore


class EventMemory(EventStore):
    """Events of all streams, for clients that come back for the rest."""

    def __init__(self):
        self.events = []

    async def store_event(self, stream_id, message):
        self.events.append((stream_id, message))
        return str(len(self.events))

    async def replay_events_after(self, last_event_id, send_callback):
        last = int(last_event_id)
        stream = self.events[last - 1][0]
        for number, (stream_id, message) in enumerate(self.events[last:], last + 1):
            if stream_id == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream
