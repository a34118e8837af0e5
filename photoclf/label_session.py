"""One person's way through a queue of images: next, decide, put off, take back, pace."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from photoclf.errors import check_one_of
from photoclf.label_contents import Contents
from photoclf.label_journal import (
    OTHER,
    PHOTO,
    RANDOM,
    UNSURE,
    WITHDRAWN,
    LabelJournal,
)
from photoclf.label_names import check_classes, check_who
from photoclf.label_pace import Pace, Progress
from photoclf.label_steps import Step, past_decisions
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


class LabelSession:
    """What a person has done of a queue, and what is left; every decision is in the journal first.

    What the person has decided before is done, but for the queue `conflicts`, whose images are to
    be decided again. Taking a decision back brings back the one before it, if there was one.

    A label belongs to a content, and a queue has names. So a name that the journal knows counts
    only until its bytes are known, see `learn`; and copies are decided together.

    Of a queue drawn at random, what the person has decided in another queue isn't shown again but
    gets its row as drawn, once the person is past it: the rows are the sample as it was drawn, up
    to where the person is, and none of those further on.

    Args:
        queue: A `schema.QUEUE` frame, in the order in which to look.
        journal: Where decisions go, and where this person's earlier ones are found.
        who: The person.
        threshold: Score from which the model proposes `photo`.
        classes: Names of class folders that may be labels as well, nine at most.
        skip_labelled_by_others: Whether what somebody else has decided needn't be decided again. In
            a random queue that holds for what they drew at random too, so that the sample is one.
        trust_names: Whether a name has the content that the journal knows under it. Whoever says
            no tells the contents of `unchecked` by `learn`.
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
        trust_names: bool = True,
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
        self._trusts_names = trust_names
        self._to_draw: set[int] = set()  # decided in other queues, and not known as drawn
        self._contents = Contents(self._names, self._sources)
        self._clock = clock
        self._state = np.zeros(len(queue), np.int8)
        self._steps: deque[Step] = deque(maxlen=_REMEMBERED)
        self._pace = Pace(clock)
        self._look_again = clock() + _OTHERS_S
        self._resume(journal.read())
        self.current = self._next(0)
        self.keep_drawn()

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
        """Return the places that come next after the current one, as things stand."""
        if self.current is None:
            return []
        coming = self._coming(self.current)
        return [int(n) for n in coming[coming != self.current][:count]]

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
        if here.source == RANDOM or not here.proposal:
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
        before: dict[int, str] = {}
        try:
            for n, label in chosen.items():
                held = self._contents.held.get(sha256[n])
                self._append(n, label, sha256[n])
                done[n] = label
                if held:
                    before[n] = held
            done = dict(labels)
        finally:
            if done:
                self._finish(Step(done, {n: sha256[n] for n in done if done[n]}, before))
        self.keep_drawn()

    def skip(self, n: int) -> None:
        """Put an image off without a decision, see `decide_page`."""
        self.decide_page({n: ""}, {})

    def recall_skipped(self) -> None:
        """Take up again what was put off."""
        self._state[self._state == _SKIPPED] = _OPEN
        self.current = self._next(0)

    def undo(self) -> Step | None:
        """Take back the last step and return to its image, or to the first one of its page.

        What held before of an image's bytes holds again.

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
            for n, label in reversed(list(step.labels.items())):
                if label:
                    self._append(n, step.before.get(n, WITHDRAWN), step.sha256[n])
                    if n not in step.before:
                        self._turn(step.sha256[n], (_DECIDED,), _OPEN)
                self._state[n] = _OPEN
                del left[n]
        finally:
            if left:
                self._steps.append(step.part(left))
        if step.sha256:
            self._pace.take_back()
        self.current = min(step.labels)
        return step

    def last_steps(self, count: int) -> list[Step]:
        """Return what can be taken back, the latest last."""
        return list(self._steps)[-count:]

    def unchecked(self) -> list[int]:
        """Return the places that are passed over for their names, their bytes being unknown."""
        return sorted(self._contents.unchecked)

    def learn(self, n: int, sha256: str, *, shown: bool = False) -> bool:
        """Take note of the bytes at a place, as soon as somebody has read them.

        What was passed over for its name is open again where the bytes are others; what is open is
        passed over where the person has decided on these bytes under another name.

        Args:
            n: The place in the queue.
            sha256: Of the bytes.
            shown: Whether the person has the image before them: it stays there then.

        Returns:
            Whether the current image or the last steps are others now.

        Raises:
            TableError: If a drawn image's row can't be kept, see `keep_drawn`.
        """
        here, steps, contents = self.current, len(self._steps), self._contents
        believed = contents.at(n)
        if n in contents.unchecked and believed != sha256:  # those are steps on another image
            kept = [step for step in self._steps if step.sha256.get(n) != believed]
            self._steps = deque(kept, _REMEMBERED)
        contents.learn(n, sha256)
        stays = self._state[n] == _OPEN and (shown or contents.is_again(n))
        if not stays and self._state[n] != _SKIPPED:
            self._to_draw.discard(n)
            if sha256 in contents.held:
                self._mark_decided(n)
            else:
                self._state[n] = _BY_OTHERS if contents.is_theirs(n, sha256) else _OPEN
        if self.current is None or self._state[self.current] != _OPEN:
            self.current = self._next(self.current or 0)
        self.keep_drawn()
        return self.current != here or len(self._steps) != steps

    def keep_drawn(self) -> None:
        """Write a row for what was drawn at random, is passed and was decided in another queue.

        Raises:
            TableError: If one can't be kept; it is tried again with the next decision.
        """
        end = len(self) if self.current is None else self.current
        contents = self._contents
        for n in sorted(n for n in self._to_draw if n < end):
            if n in contents.unchecked and not self._trusts_names:
                continue
            if contents.is_to_draw(n):
                self._append(n, contents.held[contents.at(n)], contents.at(n))
            self._to_draw.discard(n)

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
            self.current = self._next(self.current or 0)

    def _append(self, n: int, label: str, sha256: str) -> None:
        self._journal.append(
            who=self.who,
            pathname=str(self._names[n]),
            sha256=sha256,
            label=label,
            source=str(self._sources[n]),
        )
        self._contents.note(n, sha256, label)

    def _finish(self, step: Step) -> None:
        for n, label in step.labels.items():
            self._state[n] = _DECIDED if label else _SKIPPED
        for n, sha256 in step.sha256.items():
            self._contents.learn(n, sha256)
            self._turn(sha256, (_OPEN, _SKIPPED), _DECIDED)
        self._steps.append(step)
        if step.sha256:
            self._pace.add(len(step.sha256))
        self.current = self._next(self.current or 0)

    def _turn(self, sha256: str, before: tuple[int, ...], after: int) -> None:
        """Give all places that have a content, and one of some states, another state."""
        for n in self._contents.places(sha256):
            if self._state[n] in before:
                self._state[n] = after

    def _coming(self, start: int) -> np.ndarray:
        """List what is open, from a place on and then what is before it.

        A sample drawn at random is looked at from its begin: what opens there again comes first.
        """
        open_ = np.flatnonzero(self._state == _OPEN)
        if (self._sources == RANDOM).any():
            return open_
        return np.concatenate([open_[open_ >= start], open_[open_ < start]])

    def _next(self, start: int) -> int | None:
        coming = self._coming(start)
        return int(coming[0]) if len(coming) else None

    def _resume(self, rows: pd.DataFrame) -> None:
        """Go on where this person was: names tell the images, hashes what holds of them."""
        mine = rows[rows.who == self.who]
        for n in self._contents.read_mine(mine):
            self._mark_decided(n)
        place = {name: n for n, name in enumerate(self._names) if not self._contents.is_again(n)}
        for past in past_decisions(mine)[-_REMEMBERED:]:
            if past.pathname in place:
                n = place[past.pathname]
                before = {n: past.before} if past.before else {}
                self._steps.append(Step({n: past.label}, {n: past.sha256}, before))
        if self._skips_others:
            self._mark_others(rows)

    def _mark_decided(self, n: int) -> None:
        self._state[n] = _DECIDED
        if self._contents.is_to_draw(n):
            self._to_draw.add(n)

    def _mark_others(self, rows: pd.DataFrame) -> None:
        waiting = np.flatnonzero(np.isin(self._state, (_OPEN, _SKIPPED)))
        theirs = rows[rows.who != self.who]
        for n in self._contents.read_others(theirs, map(int, waiting)):
            self._state[n] = _BY_OTHERS
