"""What a browser that labels asks for, and what it is told: messages in, messages out."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from photoclf.decode import REASONS
from photoclf.errors import PhotoclfError
from photoclf.label_cards import LabelCards
from photoclf.label_heat import SECONDS, map_image
from photoclf.label_images import SIZES, Rendition, hash_file, render_image
from photoclf.label_journal import CONFLICTS
from photoclf.label_messages import as_images, as_place, as_texts
from photoclf.label_session import PAGE, LabelSession
from photoclf.label_steps import Step
from photoclf.label_trouble import tell_trouble
from photoclf.label_workshop import Workshop
from photoclf.messages import Messages
from photoclf.workers import Lost

Send = Callable[[dict[str, Any], list[bytes]], None]

_AHEAD = 4
_KNOWN = 2000  # images whose hash is remembered; a browser holds fewer


class LabelDesk:
    """Serves a session to a browser, whose messages name images by their place in the queue alone.

    A decision counts only for the image that is current, and for the bytes whose picture was sent
    and is seen; undo only for the step that is seen as the last. So neither an impatient second key
    nor a browser that is behind can label an image that nobody has seen, or take back another's
    label.

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
        self._cards = LabelCards(session, self._words)
        self._run_folder = run_folder
        self._shown: OrderedDict[tuple[int, str], None] = (
            OrderedDict()
        )  # place and hash of what was sent
        self._page: dict[int, str] | None = None  # place → label, in grid mode
        self._contradiction = ""  # to be told with the next answer
        self._checked: set[int] = set()  # places whose files' hashes were asked for
        # Jupyter hands messages over in a thread of its own, so that cells may run meanwhile; what
        # is delivered comes from others.
        self._one_by_one = threading.RLock()
        self._shop = Workshop(render_image, self._deliver)
        self._checks = Workshop(hash_file, self._deliver_hash, workers=1)
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
            elif isinstance(kind, str) and kind in self._actions:
                self._answer(self._actions[kind], message)

    def close(self) -> None:
        """End the processes that make pictures."""
        self._shop.close()
        self._checks.close()
        self._heat.close()

    def _answer(self, action: Callable[[dict[str, Any]], str], message: dict[str, Any]) -> None:
        said = error = ""
        try:
            said = action(message)
        except PhotoclfError as problem:
            error = self._words("labelling.not_kept", reason=tell_trouble(self._words, problem))
        try:
            self._session.pass_over_others()
        except PhotoclfError as problem:
            error = error or tell_trouble(self._words, problem)
        self._check_names()
        self._tell(said, error)

    def _tell(self, said: str = "", error: str = "") -> None:
        if self._page is not None:
            self._lay_page()
        error = error or self._contradiction
        self._contradiction = ""
        self._send(self._state() | {"said": said, "error": error}, [])

    def _greet(self, message: dict[str, Any]) -> str:
        classes = list(self._session.classes)
        self._send({"kind": "hello", "words": self._cards.texts(), "classes": classes}, [])
        return ""

    def _decide(self, message: dict[str, Any]) -> str:
        n, label = self._place(message.get("n")), str(message.get("label"))
        sha256 = str(message.get("sha256"))
        if n is None or n != self._session.current or (n, sha256) not in self._shown:
            return ""
        self._session.decide(n, label, sha256)
        self._look_for_contradictions()
        return self._words("labelling.kept", label=self._cards.said(label))

    def _decide_page(self, message: dict[str, Any]) -> str:
        page = self._page or {}
        wanted, seen = self._texts(message.get("labels")), self._texts(message.get("sha256"))
        seen = {n: sha256 for n, sha256 in seen.items() if (n, sha256) in self._shown}
        labels = {n: wanted.get(n, "") if n in seen else "" for n in page}
        # What a browser that is behind sends is of another page.
        if not page or set(wanted) != set(page):
            return ""
        try:
            self._session.decide_page(labels, seen)
            self._look_for_contradictions()
        finally:  # what couldn't be kept stays on the page, as it was set right
            self._page = {n: wanted[n] for n in page if self._session.is_open(n)}
        return self._words("labelling.kept_page", images=sum(map(bool, labels.values())))

    def _skip(self, message: dict[str, Any]) -> str:
        n = self._place(message.get("n"))
        if n is None or n != self._session.current:
            return ""
        self._session.skip(n)
        return self._words("labelling.skipped")

    def _undo(self, message: dict[str, Any]) -> str:
        last = self._session.last_steps(1)
        if not last and message.get("n") is None:
            return self._words("labelling.nothing_to_undo")
        # What is taken back is what the person sees as the last step, and no other.
        if not last or self._place(message.get("n")) != last[0].first:
            return ""
        if self._is_outdated(last[0]) or (step := self._session.undo()) is None:
            return ""
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
        images = as_images(message.get("images"), len(self._session))
        wanted = {(n, size): (self._path(n), size) for n, size in images if size in SIZES}
        self._shop.want(wanted)

    def _map(self, message: dict[str, Any]) -> None:
        n = self._place(message.get("n"))
        if n is None:
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
        with self._one_by_one:
            self._shown[n, result.sha256] = None
            self._shown.move_to_end((n, result.sha256))
            while len(self._shown) > _KNOWN:
                self._shown.popitem(last=False)
        self._send(message | {"sha256": result.sha256} | _sizes(result), [result.jpeg])
        self._learn(n, result.sha256)

    def _deliver_hash(self, n: int, result: Any) -> None:
        if isinstance(result, str) and result:
            self._learn(n, result)

    def _learn(self, n: int, sha256: str) -> None:
        """Tell the session what a file has, and the browser where it sees something else now."""
        with self._one_by_one:
            page = self._page or {}
            error = ""
            try:
                shown = n == self._session.current or n in page
                changed = self._session.learn(n, sha256, shown=shown)
            except PhotoclfError as problem:
                changed, error = True, tell_trouble(self._words, problem)
            # A page that is being set right isn't laid anew.
            if changed and not page:
                self._tell(error=error)

    def _check_names(self) -> None:
        """Have the files hashed that are passed over for their names, the first ones first."""
        waiting = self._session.unchecked()
        if not self._checked.issuperset(waiting):
            self._checked.update(waiting)
            self._checks.want({n: self._path(n) for n in waiting})

    def _is_outdated(self, step: Step) -> bool:
        """Tell whether a step of an earlier session was made on bytes that are there no more."""
        waiting = set(self._session.unchecked())
        for n in waiting.intersection(step.sha256):
            if sha256 := hash_file(self._path(n)):
                self._session.learn(n, sha256)
        return step not in self._session.last_steps(1)

    def _look_for_contradictions(self) -> None:
        step = self._session.last_steps(1)[0]
        told = [
            (n, before)
            for n, before in step.before.items()
            if before != step.labels[n] and self._session.image(n).source != CONFLICTS
        ]
        if told:
            n, before = told[0]
            said = self._cards.said
            self._contradiction = self._words(
                "labelling.contradicts",
                images=len(told),
                before=said(before),
                label=said(step.labels[n]),
            )

    def _place(self, value: Any) -> int | None:
        return as_place(value, len(self._session))

    def _texts(self, value: Any) -> dict[int, str]:
        return as_texts(value, len(self._session))

    def _deliver_heat(self, n: int, result: Any) -> None:
        message = {"kind": "heat", "n": n}
        if isinstance(result, Rendition):
            self._send(message | _sizes(result), [result.jpeg])
        else:
            key = "heat_trouble" if isinstance(result, BaseException) else "heat_failed"
            failed = self._words(f"labelling.{key}", reason=self._why_not(result))
            self._send(message | {"failed": failed}, [])

    def _why_not(self, result: Any) -> str:
        reason = result.reason if isinstance(result, Lost) else result
        if isinstance(reason, BaseException):
            return tell_trouble(self._words, reason)
        return self._words(f"reason.{reason}") if reason in REASONS else str(reason)

    def _path(self, n: int) -> Path:
        return self._folder / self._session.image(n).pathname

    def _state(self) -> dict[str, Any]:
        session, page = self._session, self._page
        if page is None:
            ahead = session.ahead(_AHEAD)
        else:
            ahead = [n for n in session.page(2 * PAGE) if n not in page]
        can_map = self._run_folder is not None
        return self._cards.state(page) | {"ahead": ahead, "can_map": can_map}


def _sizes(picture: Rendition) -> dict[str, int]:
    return {
        "width": picture.width,
        "height": picture.height,
        "own_width": picture.own_width,
        "own_height": picture.own_height,
    }
