"""How far a running sweep is: one line over trials and epochs, with the best so far."""

import sys
import time
from collections.abc import Iterable

from tqdm import tqdm

from photoclf.trials import Trial, epochs_so_far

# Between two looks at the running trials' folders; in a file, each would be a line.
_SECONDS, _SECONDS_IN_FILE = 1.0, 30.0
_SHOWN = 3  # running trials that are named


class SweepBar:
    """A bar that counts trials, a running one by the share of its epochs.

    Args:
        name: The sweep's name.
        trials: How many trials it will have.
        disable: Whether to show nothing.
    """

    def __init__(self, name: str, trials: int, *, disable: bool) -> None:
        self._bar = tqdm(
            total=trials,
            desc=f"sweep {name}",
            disable=disable,
            bar_format="{desc} {n:.1f}/{total} trials |{bar}| {elapsed}, {remaining} left{postfix}",
            mininterval=_SECONDS,
        )
        self._looked = 0.0
        self._seconds = _SECONDS if sys.stderr.isatty() else _SECONDS_IN_FILE
        self._ended, self._best = 0, ""

    def tell(self, ended: int, best: str) -> None:
        """Tell how many trials need no more work, and the best figure so far as text."""
        self._ended, self._best = ended, best

    def show(self, running: Iterable[tuple[int, Trial]]) -> None:
        """Show where the sweep stands, if it wasn't shown just now.

        Args:
            running: Numbers and trials that are at work or in wait.
        """
        if self._bar.disable or time.monotonic() - self._looked < self._seconds:
            return
        self._looked = time.monotonic()
        told, shares = [], 0.0
        for number, trial in running:
            epochs = epochs_so_far(trial)
            shares += epochs / trial.config.epochs
            if trial.state.get("state") == "running":
                told.append(f"trial {number}: epoch {epochs}/{trial.config.epochs}")
        if len(told) > _SHOWN:
            told[_SHOWN:] = [f"and {len(told) - _SHOWN} more"]
        self._bar.set_postfix_str("; ".join(filter(None, [self._best, *told])), refresh=False)
        self._bar.n = min(self._ended + shares, self._bar.total)
        self._bar.refresh()

    def close(self) -> None:
        """End the line."""
        self._bar.close()
