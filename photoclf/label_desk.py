"""What a browser that labels asks for, and what it is told: messages in, messages out."""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from photoclf.decode import REASONS
from photoclf.errors import PhotoclfError
from photoclf.label_heat import SECONDS, map_image
from photoclf.label_images import SIZES, Rendition, render_image
from photoclf.label_journal import OTHER, PHOTO, UNSURE
from photoclf.label_session import PAGE, LabelSession, QueuedImage
from photoclf.label_workshop import Workshop
from photoclf.messages import Messages
from photoclf.workers import Lost

Send = Callable[[dict[str, Any], list[bytes]], None]

_AHEAD, _HISTORY = 4, 8
_KNOWN = 2000  # images whose hash is remembered; a browser holds fewer
# Texts that the browser shows as they are.
_TEXTS = (
    "region", "photo", "other", "unsure", "short_photo", "short_other", "short_unsure", "skip",
    "undo", "grid", "single", "help", "close", "zoom_in", "zoom_out", "zoom_fit", "zoom_full",
    "full_screen", "heat", "heat_wait", "heat_off", "heat_text", "loading", "late", "cannot_show",
    "no_answer", "click_first", "finished", "recall", "confirm", "page_text", "page_plain",
    "left_out", "recent", "next_is_kept", "keys", "key_mark", "key_move", "key_turn",
    "key_confirm", "key_zoom", "key_pan", "key_leave", "keys_single", "keys_page", "keys_image",
)  # fmt: skip


class LabelDesk:
    """Serves a session to a browser, whose messages name images by their place in the queue alone.

    A decision counts only for the image that is current and whose picture was sent; so neither an
    impatient second key nor a browser that is behind can label an image that nobody has seen.

    Args:
        session: What is decided.
        folder: What the session's pathnames are relative to.
        send: Takes a message and its buffers; called from other threads as well.
        lang: `fr` or `en`.
        run_folder: Of the model that explains itself (Grad-CAM); without one there is no map.
    """

    def __init__(
        self,
        session: LabelSession,
        folder: Path,
        send: Send,
        *,
        lang: str = "en",
        run_folder: Path | None = None,
    ) -> None:
        self._session = session
        self._folder = folder
        self._send = send
        self._words = Messages(lang)
        self._run_folder = run_folder
        self._shown: OrderedDict[int, str] = OrderedDict()  # place → hash of what was sent
        self._page: dict[int, str] | None = None  # place → label, in grid mode
        # Jupyter hands messages over in a thread of its own, so that cells may run meanwhile.
        self._one_by_one = threading.Lock()
        self._shop = Workshop(render_image, self._deliver)
        self._heat = Workshop(
            map_image, self._deliver_heat, workers=1, seconds=SECONDS, memory=None
        )
        self._actions: dict[str, Callable[[dict[str, Any]], str]] = {
            "ready": self._greet,
            "decide": self._decide,
            "page": self._decide_page,
            "skip": self._skip,
            "undo": self._undo,
            "recall": self._recall,
            "grid": self._turn_grid,
        }

    def handle(self, message: Mapping[str, Any]) -> None:
        """Do what a browser asks for, and tell it how things stand."""
        kind, message = message.get("kind"), dict(message)
        with self._one_by_one:
            if kind == "want":
                self._want(message)
            elif kind == "heat":
                self._map(message)
            elif kind in self._actions:
                self._answer(self._actions[kind], message)

    def close(self) -> None:
        """End the processes that make pictures."""
        self._shop.close()
        self._heat.close()

    def _answer(self, action: Callable[[dict[str, Any]], str], message: dict[str, Any]) -> None:
        said = error = ""
        try:
            said = action(message)
        except PhotoclfError as problem:
            error = self._words("labelling.not_kept", reason=str(problem))
        try:
            self._session.pass_over_others()
        except PhotoclfError as problem:
            error = error or str(problem)
        if self._page is not None:
            self._lay_page()
        self._send(self._state() | {"said": said, "error": error}, [])

    def _greet(self, message: dict[str, Any]) -> str:
        words = {name: self._words(f"labelling.{name}") for name in _TEXTS}
        classes = list(self._session.classes)
        self._send({"kind": "hello", "words": words, "classes": classes}, [])
        return ""

    def _decide(self, message: dict[str, Any]) -> str:
        n, label = message.get("n"), str(message.get("label"))
        if n is None or n != self._session.current or n not in self._shown:
            return ""
        self._session.decide(n, label, self._shown[n])
        return self._words("labelling.kept", label=self._said(label))

    def _decide_page(self, message: dict[str, Any]) -> str:
        page = self._page or {}
        wanted = {int(n): str(label) for n, label in dict(message.get("labels") or {}).items()}
        labels = {n: wanted.get(n, "") if n in self._shown else "" for n in page}
        # What a browser that is behind sends is of another page.
        if not page or set(wanted) != set(page):
            return ""
        try:
            self._session.decide_page(labels, self._shown)
        finally:  # what couldn't be kept stays on the page, as it was set right
            self._page = {n: wanted[n] for n in page if self._session.is_open(n)}
        return self._words("labelling.kept_page", images=sum(map(bool, labels.values())))

    def _skip(self, message: dict[str, Any]) -> str:
        if message.get("n") is None or message["n"] != self._session.current:
            return ""
        self._session.skip(message["n"])
        return self._words("labelling.skipped")

    def _undo(self, message: dict[str, Any]) -> str:
        step = self._session.undo()
        if step is None:
            return self._words("labelling.nothing_to_undo")
        if self._page is not None:
            # As it was confirmed, so that what was set right needn't be again.
            self._page = dict(step.labels) if len(step.labels) > 1 else {}
        return self._words("labelling.taken_back", images=len(step.labels))

    def _recall(self, message: dict[str, Any]) -> str:
        self._session.recall_skipped()
        return ""

    def _turn_grid(self, message: dict[str, Any]) -> str:
        self._page = {} if message.get("on") else None
        return ""

    def _lay_page(self) -> None:
        """Lay a new page where there is none, or where the last one is done."""
        if not self._page:
            session = self._session
            self._page = {n: session.image(n).proposal for n in session.page()}

    def _want(self, message: dict[str, Any]) -> None:
        wanted = {}
        for n, size in message.get("images") or []:
            if isinstance(n, int) and 0 <= n < len(self._session) and size in SIZES:
                wanted[n, size] = (self._path(n), size)
        self._shop.want(wanted)

    def _map(self, message: dict[str, Any]) -> None:
        n = message.get("n")
        if not isinstance(n, int) or not 0 <= n < len(self._session):
            return
        if self._run_folder is None:
            self._send({"kind": "heat", "n": n, "failed": self._words("labelling.no_model")}, [])
        else:
            self._heat.want({n: (self._path(n), self._run_folder)})

    def _deliver(self, key: tuple[int, str], result: Any) -> None:
        n, size = key
        message: dict[str, Any] = {"kind": "image", "n": n, "size": size}
        if not isinstance(result, Rendition):
            self._send(message | {"failed": self._why_not(result)}, [])
            return
        self._shown[n] = result.sha256
        while len(self._shown) > _KNOWN:
            self._shown.popitem(last=False)
        self._send(message | _sizes(result), [result.jpeg])

    def _deliver_heat(self, n: int, result: Any) -> None:
        message = {"kind": "heat", "n": n}
        if isinstance(result, Rendition):
            self._send(message | _sizes(result), [result.jpeg])
        else:
            reason = self._why_not(result)
            failed = self._words("labelling.heat_failed", reason=reason)
            self._send(message | {"failed": failed}, [])

    def _why_not(self, result: Any) -> str:
        reason = result.reason if isinstance(result, Lost) else str(result)
        return self._words(f"reason.{reason}") if reason in REASONS else reason

    def _path(self, n: int) -> Path:
        return self._folder / self._session.image(n).pathname

    def _state(self) -> dict[str, Any]:
        session, words = self._session, self._words
        progress = session.progress()
        if math.isnan(progress.hours_left) or progress.done >= progress.total:
            pace = ""
        else:
            left = words.duration(max(progress.hours_left, 1 / 60))
            pace = words("labelling.pace", per_minute=progress.per_minute, left=left)
        history = [
            {"n": next(iter(step.labels)), "labels": self._told(step.labels)}
            for step in session.last_steps(_HISTORY)
        ]
        if self._page is None:
            ahead = session.ahead(_AHEAD)
        else:
            ahead = [n for n in session.page(2 * PAGE) if n not in self._page]
        return {
            "kind": "state",
            "n": session.current,
            "image": None if session.current is None else self._card(session.current),
            "page": None if self._page is None else self._cells(self._page),
            "plain": session.current is None or self._is_plain(session.image(session.current)),
            "ahead": ahead,
            "history": history,
            "done": progress.done,
            "total": progress.total,
            "skipped": progress.skipped,
            "progress": words("labelling.progress", done=progress.done, total=progress.total),
            "pace": pace,
            "put_off": words("labelling.put_off", images=progress.skipped),
            "threshold": session.threshold,
            "can_map": self._run_folder is not None,
        }

    def _card(self, n: int) -> dict[str, Any]:
        image, words = self._session.image(n), self._words
        path = PurePosixPath(_visible(image.pathname))
        known = not math.isnan(image.score)
        proposal = self._said(image.proposal) if known else ""
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
        return self._said(label, "short_") if label else self._words("labelling.skip")

    def _said(self, label: str, form: str = "") -> str:
        known = label in (PHOTO, OTHER, UNSURE)
        return self._words(f"labelling.{form}{label}") if known else label

    @staticmethod
    def _is_plain(image: QueuedImage) -> bool:
        return image.source == "random" or not image.proposal


def _sizes(picture: Rendition) -> dict[str, int]:
    return {
        "width": picture.width,
        "height": picture.height,
        "own_width": picture.own_width,
        "own_height": picture.own_height,
    }


def _visible(name: str) -> str:
    """Write a name so that each character of it is seen, also those that turn or hide others."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in name)
