"""Whether a server may be asked now: not while it is down, not while it wants less, not while it refuses us.

What is asked does not belong here.
"""

import math
from collections.abc import Callable

# After so many failures in a row only one question in this time goes to the server.
FAILURES = 5
PROBE_SECONDS = 1.0
# A server that asks for a longer pause is asked again after this, in seconds: nobody could log in for that long.
LONGEST_PAUSE = 300.0


class Availability:
    """What the last exchanges with one server say about the next one.

    It belongs to one event loop at a time.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """The server is taken for well.

        Args:
            clock: seconds, never going back.
        """
        self._clock = clock
        self._failures = 0
        self._probe_at = -math.inf
        self._paused_until = -math.inf

    def seconds_to_wait(self) -> float:
        """Seconds until the server may be asked; 0 when it may be asked now.

        Where it has failed again and again, 0 is answered once in a while, and who gets it must ask.
        """
        now = self._clock()
        if now < self._paused_until:
            return self._paused_until - now
        if self._failures < FAILURES:
            return 0
        if now < self._probe_at:
            return self._probe_at - now
        self._probe_at = now + PROBE_SECONDS
        return 0

    def answered(self) -> None:
        """Notes that it answered."""
        self._failures = 0

    def failed(self) -> None:
        """Notes that it gave no answer, or said that it failed."""
        self._failures += 1
        self._probe_at = self._clock() + PROBE_SECONDS

    def pause(self, seconds: float) -> None:
        """Notes that it must not be asked for so long."""
        self._paused_until = self._clock() + seconds
