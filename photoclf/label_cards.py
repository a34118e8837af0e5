"""A labelling session in words and numbers, as a browser shows it: cards of images, progress."""

import math
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from photoclf.label_journal import OTHER, PHOTO, RANDOM, UNSURE
from photoclf.label_session import LabelSession, QueuedImage
from photoclf.messages import Messages

_HISTORY = 8
# Texts that the browser shows as they are.
_TEXTS = (
    "region", "photo", "other", "unsure", "short_photo", "short_other", "short_unsure", "skip",
    "undo", "grid", "single", "help", "close", "zoom_in", "zoom_out", "zoom_fit", "zoom_full",
    "full_screen", "heat", "heat_wait", "heat_off", "heat_text", "loading", "late", "cannot_show",
    "no_answer", "click_first", "finished", "recall", "confirm", "page_text", "page_plain",
    "left_out", "recent", "next_is_kept", "keys", "key_mark", "key_move", "key_turn",
    "key_confirm", "key_zoom", "key_pan", "key_leave", "keys_single", "keys_page", "keys_image",
)  # fmt: skip


class LabelCards:
    """Says what a session holds, and changes nothing in it.

    Args:
        session: What is decided.
        words: The language.
    """

    def __init__(self, session: LabelSession, words: Messages) -> None:
        self._session = session
        self._words = words

    def texts(self) -> dict[str, str]:
        """Return the texts that the browser shows as they are."""
        return {name: self._words(f"labelling.{name}") for name in _TEXTS}

    def state(self, page: Mapping[int, str] | None) -> dict[str, Any]:
        """Tell how things stand.

        Args:
            page: Place in the queue → label, in grid mode; `None` when images come one by one.

        Returns:
            A message, what JSON holds.
        """
        session, words = self._session, self._words
        progress = session.progress()
        if math.isnan(progress.hours_left) or progress.done >= progress.total:
            pace = ""
        else:
            left = words.duration(max(progress.hours_left, 1 / 60))
            pace = words("labelling.pace", per_minute=progress.per_minute, left=left)
        history = [
            {"n": step.first, "labels": self._told(step.labels)}
            for step in session.last_steps(_HISTORY)
        ]
        return {
            "kind": "state",
            "n": session.current,
            "image": None if session.current is None else self._card(session.current),
            "page": None if page is None else self._cells(page),
            "plain": session.current is None or _is_plain(session.image(session.current)),
            "history": history,
            "done": progress.done,
            "total": progress.total,
            "skipped": progress.skipped,
            "progress": words("labelling.progress", done=progress.done, total=progress.total),
            "pace": pace,
            "put_off": words("labelling.put_off", images=progress.skipped),
            "threshold": session.threshold,
        }

    def _card(self, n: int) -> dict[str, Any]:
        image, words = self._session.image(n), self._words
        path = PurePosixPath(_visible(image.pathname))
        known = not math.isnan(image.score)
        proposal = self.said(image.proposal) if known else ""
        return {
            "name": path.name,
            "folder": "" if str(path.parent) == "." else f"{path.parent}/",
            "score": image.score if known else None,
            "score_text": words("labelling.score", score=image.score) if known else "",
            "proposal": words("labelling.proposal", label=proposal) if known else "",
            "why": words(f"labelling.why_{image.source}"),
        }

    def _cells(self, page: Mapping[int, str]) -> list[dict[str, Any]]:
        return [
            {"n": n, "label": label, "proposed": self._session.image(n).proposal, **self._card(n)}
            for n, label in page.items()
        ]

    def _told(self, labels: Mapping[int, str]) -> str:
        if len(labels) > 1:
            return self._words("labelling.images", images=sum(map(bool, labels.values())))
        label = next(iter(labels.values()))
        return self.said(label, "short_") if label else self._words("labelling.skip")

    def said(self, label: str, form: str = "") -> str:
        """Return what a label is called; class folders keep their names.

        Args:
            label: The label.
            form: `short_` where there is little room.
        """
        known = label in (PHOTO, OTHER, UNSURE)
        return self._words(f"labelling.{form}{label}") if known else label


def _is_plain(image: QueuedImage) -> bool:
    return image.source == RANDOM or not image.proposal


def _visible(name: str) -> str:
    """Write a name so that each character of it is seen, also those that turn or hide others."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in name)
