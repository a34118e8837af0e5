"""Which bytes stand behind the names of a queue, and what people have decided on them."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from photoclf.label_journal import CONFLICTS, RANDOM, WITHDRAWN, latest


class Contents:
    """Labels belong to contents, and a queue has names: this tells which stand where.

    A name has the content that the journal knows under it, until its bytes are read: another folder
    may have a file of the same name, and a file may be replaced.

    Args:
        names: Pathnames, in the order of the queue.
        sources: The queue that each comes from.
    """

    def __init__(self, names: np.ndarray, sources: np.ndarray) -> None:
        self._names = names
        self._drawn_at = sources == RANDOM
        self._again_at = sources == CONFLICTS
        self._at: dict[int, str] = {}
        self._drawn: set[str] = set()
        self._theirs: set[str] = set()
        self._theirs_drawn: set[str] = set()
        self.unchecked: set[int] = set()
        """Places whose content their name alone tells."""
        self.held: dict[str, str] = {}
        """Content → the label that this person has given it."""

    def at(self, n: int) -> str:
        """Return the content at a place, as far as it is known; empty where nothing is."""
        return self._at.get(n, "")

    def read_mine(self, rows: pd.DataFrame) -> list[int]:
        """Read what this person has decided, and return the places that this concerns.

        Images to be decided again are none of them.

        Args:
            rows: This person's, a `schema.JOURNAL` frame in the order of the decisions.
        """
        holds = latest(rows)
        self.held = dict(zip(holds.sha256, holds.label, strict=True))
        self._drawn = set(rows.sha256[rows.source == RANDOM])
        seen = dict(zip(rows.pathname, rows.sha256, strict=True))
        return self._believe(
            (n, sha256)
            for n, name in enumerate(self._names)
            if not self._again_at[n] and (sha256 := seen.get(name, "")) in self.held
        )

    def read_others(self, rows: pd.DataFrame, places: Iterable[int]) -> list[int]:
        """Read what others have decided, and return those of some places that this concerns.

        Of a random queue, those are what others drew at random as well: the others are a choice.

        Args:
            rows: The others', a `schema.JOURNAL` frame in the order of the decisions.
            places: Where to look.
        """
        holds = latest(rows)
        self._theirs = set(holds.sha256)
        self._theirs_drawn = self._theirs & set(rows.sha256[rows.source == RANDOM])
        named = dict(zip(holds.pathname, holds.sha256, strict=True))
        return self._believe(
            (n, sha256)
            for n in places
            if not self._again_at[n]
            and self.is_theirs(n, sha256 := self._at.get(n) or named.get(self._names[n], ""))
        )

    def is_theirs(self, n: int, sha256: str) -> bool:
        """Tell whether a content at a place needn't be decided, as others have."""
        return sha256 in (self._theirs_drawn if self._drawn_at[n] else self._theirs)

    def is_to_draw(self, n: int) -> bool:
        """Tell whether a place was drawn at random, its content decided, and not as a drawn one."""
        sha256 = self.at(n)
        return bool(self._drawn_at[n]) and sha256 in self.held and sha256 not in self._drawn

    def is_again(self, n: int) -> bool:
        """Tell whether an image is to be decided though it has been."""
        return bool(self._again_at[n])

    def learn(self, n: int, sha256: str) -> None:
        """Take note of the bytes at a place, now that somebody has read them."""
        self._at[n] = sha256
        self.unchecked.discard(n)

    def note(self, n: int, sha256: str, label: str) -> None:
        """Take note of a row that was written."""
        if label == WITHDRAWN:
            self.held.pop(sha256, None)
        else:
            self.held[sha256] = label
        if self._drawn_at[n]:
            self._drawn.add(sha256)

    def places(self, sha256: str) -> list[int]:
        """Return the places that have a content."""
        return [n for n, content in self._at.items() if content == sha256]

    def _believe(self, found: Iterable[tuple[int, str]]) -> list[int]:
        places = []
        for n, sha256 in found:
            places.append(n)
            if n not in self._at:
                self._at[n] = sha256
                self.unchecked.add(n)
        return places
