"""How far a person who labels is, and how fast."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

_PAUSE_S = 60.0  # longer between two decisions is a pause, which says nothing of the pace
_RECENT = 60  # decisions that the pace is measured on


@dataclass(frozen=True)
class Progress:
    """How far a person is.

    Args:
        done: Images decided.
        total: Images of the queue, without those passed over as others had decided them.
        skipped: Images put off.
        per_minute: Decisions a minute, pauses taken out; NaN before the second.
        hours_left: At that pace; NaN while it isn't known.
    """

    done: int
    total: int
    skipped: int
    per_minute: float
    hours_left: float


class Pace:
    """The pace of the latest decisions, pauses left out.

    Args:
        clock: Seconds.

    Example:
        >>> seconds = iter([0.0, 2.0, 4.0])
        >>> pace = Pace(lambda: next(seconds))
        >>> for _ in range(3):
        ...     pace.add(1)
        >>> pace.per_minute()
        30.0
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._decided_at: deque[tuple[float, int]] = deque(maxlen=_RECENT)

    def add(self, count: int) -> None:
        """Count decisions that were made together, now."""
        self._decided_at.append((self._clock(), count))

    def take_back(self) -> None:
        """Forget the last decisions, if there are any."""
        if self._decided_at:
            self._decided_at.pop()

    def per_minute(self) -> float:
        """Return decisions a minute; NaN before the second."""
        seconds, decided = 0.0, 0
        for (before, _), (after, count) in pairwise(self._decided_at):
            if after - before <= _PAUSE_S:
                seconds, decided = seconds + after - before, decided + count
        return 60 * decided / seconds if seconds else float("nan")
