"""One person's way through a queue of images: next, decide, put off, take back, pace."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from photoclf.errors import check_one_of
from photoclf.label_journal import (
    CONFLICTS,
    OTHER,
    PHOTO,
    UNSURE,
    WITHDRAWN,
    LabelJournal,
    latest,
)
from photoclf.label_names import check_classes, check_who
from photoclf.label_pace import Pace, Progress
from photoclf.schema import QUEUE, check_table

PAGE = 24

_OPEN, _DECIDED, _SKIPPED, _BY_OTHERS = range(4)
_OTHERS_S = 5.0  # between two looks at what others have decided
_REMEMBERED = 200  # steps that can be taken back


@dataclass(frozen=True)
class QueuedImage:
    """One image of the queue.

    Args:
        pathname: Relative to the folder of the queue.
        score: P(photo); NaN where there is none.
        source: Why it is in the queue, one of `label_journal.SOURCES`.
        proposal: `photo` or `other`, as the model's threshold says; empty without a score.
    """

    pathname: str
    score: float
    source: str
    proposal: str


@dataclass(frozen=True)
class Step:
    """What was done at once: one image decided or skipped, or a page of them.

    Args:
        labels: Place in the queue → label; empty where the image was skipped.
        sha256: Place in the queue → hash of the bytes that were decided on.
    """

    labels: Mapping[int, str]
    sha256: Mapping[int, str]


class LabelSession:
    """What a person has done of a queue, and what is left; every decision is in the journal first.

    What the person has decided before is done, but for the queue `conflicts`, whose images are to
    be decided again: taking such a decision back leaves the one before it.

    Args:
        queue: A `schema.QUEUE` frame, in the order in which to look.
        journal: Where decisions go, and where this person's earlier ones are found.
        who: The person.
        threshold: Score from which the model proposes `photo`.
        classes: Names of class folders that may be labels as well, nine at most.
        skip_labelled_by_others: Whether what somebody else has decided needn't be decided again.
        clock: Seconds, for the pace.

    Raises:
        ConfigError: If `who` or a class isn't a name, or there are too many.
        TableError: If the queue or the journal can't be used.

    Example:
        >>> session = LabelSession(queue, journal, "anna")               # doctest: +SKIP
        >>> session.decide(session.current, "photo", sha256)             # doctest: +SKIP
        >>> session.progress().done                                      # doctest: +SKIP
        1
    """

    def __init__(
        self,
        queue: pd.DataFrame,
        journal: LabelJournal,
        who: str,
        *,
        threshold: float = 0.5,
        classes: Sequence[str] = (),
        skip_labelled_by_others: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        queue = check_table(queue, QUEUE)
        self.who = check_who(who)
        self.classes = check_classes(classes)
        self.threshold = threshold
        self._names = queue.pathname.to_numpy(object)
        self._scores = queue.score.to_numpy(np.float64)
        self._sources = queue.source.to_numpy(object)
        self._journal = journal
        self._skips_others = skip_labelled_by_others
        self._clock = clock
        self._state = np.zeros(len(queue), np.int8)
        self._steps: deque[Step] = deque(maxlen=_REMEMBERED)
        self._pace = Pace(clock)
        self._look_again = clock() + _OTHERS_S
        self._resume(journal.read())
        self.current = self._next(0)

    def __len__(self) -> int:
        return len(self._state)

    def image(self, n: int) -> QueuedImage:
        """Return what is known of the image at a place of the queue, 0 or more."""
        score = float(self._scores[n])
        proposal = "" if np.isnan(score) else PHOTO if score >= self.threshold else OTHER
        return QueuedImage(str(self._names[n]), score, str(self._sources[n]), proposal)

    def is_open(self, n: int) -> bool:
        """Tell whether the image at a place is neither decided nor put off."""
        return bool(self._state[n] == _OPEN)

    def ahead(self, count: int) -> list[int]:
        """Return the places that come after the current one, as things stand."""
        if self.current is None:
            return []
        later = np.flatnonzero(self._state[self.current + 1 :] == _OPEN)[:count]
        return [int(n) + self.current + 1 for n in later]

    def page(self, size: int = PAGE) -> list[int]:
        """Return images to be confirmed at once, the current one among them.

        They have the same proposal and the nearest scores. Of a random sample they are simply the
        next ones: picked by score, those that are labelled would be no random sample any more.

        Returns:
            Places in the queue, by falling score.
        """
        if self.current is None:
            return []
        here = self.image(self.current)
        open_ = np.flatnonzero(self._state == _OPEN)
        if here.source == "random" or not here.proposal:
            chosen = np.array([self.current, *self.ahead(size - 1)])
        else:
            scores = self._scores[open_]
            alike = (scores >= self.threshold) == (here.proposal == PHOTO)
            open_ = open_[alike & ~np.isnan(scores)]
            distance = np.abs(self._scores[open_] - here.score)
            # The current one first: others may have the very same score.
            distance[open_ == self.current] = -1
            chosen = open_[np.argsort(distance, kind="stable")[:size]]
        order = np.argsort(-np.nan_to_num(self._scores[chosen], nan=-1.0), kind="stable")
        return [int(n) for n in chosen[order]]

    def decide(self, n: int, label: str, sha256: str) -> None:
        """Keep a decision on one image and go on to the next.

        Args:
            n: Its place in the queue.
            label: `photo`, `other`, `unsure` or one of the classes.
            sha256: Of the bytes that the person saw.

        Raises:
            TableError: If it can't be kept; the image stays the current one then.
            ConfigError: If there is no such label.
        """
        self.decide_page({n: label}, {n: sha256})

    def decide_page(self, labels: Mapping[int, str], sha256: Mapping[int, str]) -> None:
        """Keep the decisions on several images, a row each, and go on.

        Args:
            labels: Place in the queue → label; empty for an image that is put off. Those come back
                at the end, or in another session.
            sha256: Place in the queue → hash of the bytes that the person saw.

        Raises:
            TableError: If one can't be kept. Those before it are, and can be taken back together.
            ConfigError: If there is no such label; nothing is kept then.
        """
        chosen = {n: label for n, label in labels.items() if label}
        for label in chosen.values():
            check_one_of("label", label, (PHOTO, OTHER, UNSURE, *self.classes))
        done: dict[int, str] = {}
        try:
            for n, label in chosen.items():
                self._append(n, label, sha256[n])
                done[n] = label
            done = dict(labels)
        finally:
            if done:
                self._finish(Step(done, {n: sha256[n] for n in done if done[n]}))

    def skip(self, n: int) -> None:
        """Put an image off without a decision, see `decide_page`."""
        self.decide_page({n: ""}, {})

    def recall_skipped(self) -> None:
        """Take up again what was put off."""
        self._state[self._state == _SKIPPED] = _OPEN
        self.current = self._next(0)

    def undo(self) -> Step | None:
        """Take back the last step and return to its image, or to the first one of its page.

        Returns:
            What was taken back; `None` when there is nothing.

        Raises:
            TableError: If that can't be kept; what was taken back before the error stays so, and
                the rest can be taken back again.
        """
        if not self._steps:
            return None
        step = self._steps.pop()
        left = dict(step.labels)
        try:
            for n, label in step.labels.items():
                if label:
                    self._append(n, self._held.get(step.sha256[n], WITHDRAWN), step.sha256[n])
                self._state[n] = _OPEN
                del left[n]
        finally:
            if left:
                self._steps.append(Step(left, {n: step.sha256[n] for n in left if left[n]}))
        if step.sha256:
            self._pace.take_back()
        self.current = min(step.labels)
        return step

    def last_steps(self, count: int) -> list[Step]:
        """Return what can be taken back, the latest last."""
        return list(self._steps)[-count:]

    def progress(self) -> Progress:
        """Tell how far the person is, and how fast."""
        counts = np.bincount(self._state, minlength=4)
        total = len(self._state) - int(counts[_BY_OTHERS])
        pace = self._pace.per_minute()
        left = int(counts[_OPEN] + counts[_SKIPPED])
        return Progress(int(counts[_DECIDED]), total, int(counts[_SKIPPED]), pace, left / pace / 60)

    def pass_over_others(self) -> None:
        """Pass over what somebody else has decided meanwhile, if that was asked for.

        Raises:
            TableError: If the journal can't be read.
        """
        if not self._skips_others or self._clock() < self._look_again:
            return
        self._look_again = self._clock() + _OTHERS_S
        self._mark_others(self._journal.read())
        if self.current is not None and self._state[self.current] != _OPEN:
            self.current = self._next(self.current)

    def _append(self, n: int, label: str, sha256: str) -> None:
        self._journal.append(
            who=self.who,
            pathname=str(self._names[n]),
            sha256=sha256,
            label=label,
            source=str(self._sources[n]),
        )

    def _finish(self, step: Step) -> None:
        for n, label in step.labels.items():
            self._state[n] = _DECIDED if label else _SKIPPED
        self._steps.append(step)
        if step.sha256:
            self._pace.add(len(step.sha256))
        self.current = self._next(self.current or 0)

    def _next(self, start: int) -> int | None:
        """Find the first open image from a place on, else the first of all."""
        open_ = np.flatnonzero(self._state == _OPEN)
        if not len(open_):
            return None
        later = open_[open_ >= start]
        return int(later[0] if len(later) else open_[0])

    def _resume(self, rows: pd.DataFrame) -> None:
        """Go on where this person was: names tell the images, hashes what holds of them."""
        mine = rows[rows.who == self.who]
        holds = latest(mine).set_index("sha256")
        again = self._sources == CONFLICTS
        self._held = dict(zip(holds.index, holds.label, strict=True)) if again.any() else {}
        place = {name: n for n, name in enumerate(self._names) if not again[n]}
        seen = mine.drop_duplicates("pathname", keep="last")
        for name, sha256 in zip(seen.pathname, seen.sha256, strict=True):
            if name in place and sha256 in holds.index:
                self._state[place[name]] = _DECIDED
        for row in holds.reset_index().tail(_REMEMBERED).to_dict("records"):
            if row["pathname"] in place:
                n = place[row["pathname"]]
                self._steps.append(Step({n: row["label"]}, {n: row["sha256"]}))
        if self._skips_others:
            self._mark_others(rows)

    def _mark_others(self, rows: pd.DataFrame) -> None:
        theirs = latest(rows[rows.who != self.who])
        found = pd.Series(self._names).isin(theirs.pathname).to_numpy()
        found = found & (self._sources != CONFLICTS)
        self._state[found & np.isin(self._state, (_OPEN, _SKIPPED))] = _BY_OTHERS
