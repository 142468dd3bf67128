"""A clock that a test moves, and waits that end when the test says so: nothing here passes by itself."""

import asyncio
import threading
import time


class Time:
    """Epoch seconds for an authenticator, and its waits; also for a server in a thread of its own."""

    def __init__(self):
        # A minute ahead: tokens are issued by the real clock, and would else be from the future when a second ends.
        self._now = time.time() + 60
        self._waiting = []
        self.waited = threading.Event()
        """Set once somebody waits."""
        self.asked = []
        """The seconds of each wait."""

    def now(self):
        return self._now

    def after(self, seconds):
        """An `exp` so many seconds from now, by this clock."""
        return int(self._now) + seconds

    async def sleep(self, seconds):
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self.asked.append(seconds)
        self.waited.set()
        await future

    def advance(self, seconds):
        """Moves the clock and ends every wait; whoever waited looks at the clock again."""
        self._now += seconds
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            future.get_loop().call_soon_threadsafe(lambda future=future: future.done() or future.set_result(None))
