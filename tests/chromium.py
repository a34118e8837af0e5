"""A headless Chromium, driven over the DevTools protocol: as much of it as the tests need."""

import base64
import itertools
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import websocket

from photoclf.pdf import find_browser

_SWITCHES = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
    "--js-flags=--expose-gc",
)
# Key → code and what it types.
_NAMED = {
    "Enter": ("Enter", 13, "\r"),
    "Escape": ("Escape", 27, ""),
    "Backspace": ("Backspace", 8, ""),
    "ArrowLeft": ("ArrowLeft", 37, ""),
    "ArrowUp": ("ArrowUp", 38, ""),
    "ArrowRight": ("ArrowRight", 39, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
    " ": ("Space", 32, " "),
}


class Tab:
    """One page of the browser."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, timeout=60, suppress_origin=True)
        self._numbers = itertools.count(1)
        self.dialogs: list[str] = []
        for domain in ("Page", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("method") == "Page.javascriptDialogOpening":
                # Closed at once: while one is open, the page answers nothing.
                self.dialogs.append(answer["params"]["message"])
                close = {"id": next(self._numbers), "method": "Page.handleJavaScriptDialog"}
                self._socket.send(json.dumps(close | {"params": {"accept": True}}))
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def evaluate(self, script: str) -> Any:
        """Evaluate an expression in the page; promises are waited for."""
        result = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait_for(self, script: str, seconds: float = 30) -> Any:
        """Wait until an expression is true, and return it; objects of the page as True."""
        asked = f"(value => typeof value === 'object' ? value !== null : value)({script})"
        end = time.monotonic() + seconds
        while True:
            with suppress(RuntimeError):  # a page that is being replaced
                if value := self.evaluate(asked):
                    return value
            if time.monotonic() > end:
                text = self.evaluate("document.body.innerText.slice(0, 2500)")
                raise TimeoutError(f"{script} must become true within {seconds} s. Page: {text}")
            time.sleep(0.02)

    def press(self, key: str, *, shift: bool = False, ctrl: bool = False) -> None:
        """Press and release a key, as a person's fingers do."""
        code, number, text = _NAMED.get(key, (f"Key{key.upper()}", ord(key[0].upper()), key))
        if key.isdigit():
            code = f"Digit{key}"
        event = {
            "key": key,
            "code": code,
            "windowsVirtualKeyCode": number,
            "modifiers": 8 * shift + 2 * ctrl,
        }
        typed = {} if ctrl or not text else {"text": text}
        self.call("Input.dispatchKeyEvent", type="keyDown", **event, **typed)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def click(self, selector: str) -> None:
        """Click in the middle of an element with the mouse."""
        x, y = self.evaluate(
            f"""(() => {{ const node = document.querySelector({json.dumps(selector)});
            node.scrollIntoView({{block: "nearest"}});
            const box = node.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2]; }})()"""
        )
        where = {"x": x, "y": y, "button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type="mousePressed", **where)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", **where)

    def resize(self, width: int, height: int) -> None:
        """Give the page a size in px."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def picture(self, path: Path) -> None:
        """Save what the page looks like as a PNG."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        Path(path).write_bytes(base64.b64decode(data))

    def used_memory(self) -> int:
        """Return the bytes that the page's own objects take after a garbage collection."""
        self.evaluate("gc()")
        return int(self.call("Runtime.getHeapUsage")["usedSize"])

    def close(self) -> None:
        self._socket.close()


@contextmanager
def open_tab(profile: Path, url: str) -> Iterator[Tab]:
    """Start a browser with a profile of its own, and open a page in it.

    Raises:
        BrowserError: If none is installed.
    """
    process = subprocess.Popen(
        [str(find_browser()), *_SWITCHES, f"--user-data-dir={profile}", "about:blank"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        port = _wait_for_port(profile / "DevToolsActivePort", process)
        with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=30) as answer:
            pages = [page for page in json.load(answer) if page["type"] == "page"]
        tab = Tab(pages[0]["webSocketDebuggerUrl"])
        tab.call("Page.navigate", url=url)
        yield tab
        tab.close()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


def _wait_for_port(note: Path, process: subprocess.Popen) -> int:
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError, IndexError, ValueError):
            return int(note.read_text().splitlines()[0])
        time.sleep(0.02)
    raise TimeoutError("A browser must tell its port within 30 s.")
