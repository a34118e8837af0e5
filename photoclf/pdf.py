"""A page that lies on disk → a PDF beside it, printed by a browser that is installed."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from photoclf.errors import PhotoclfError
from photoclf.files import replacing

BROWSER_VARIABLE = "CHROME"
"""Names the browser to print with: a path, or a command that can be found."""

TIMEOUT_S = 120.0
_COMMANDS = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
    "microsoft-edge", "microsoft-edge-stable", "msedge",
)  # fmt: skip
_ON_MACOS = ("Google Chrome", "Chromium", "Microsoft Edge")
_ON_WINDOWS = ("Google/Chrome", "Chromium", "Microsoft/Edge")
_SWITCHES = (
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have little shared memory
    # It prints one file; nothing is looked up, reported, updated or filled in meanwhile.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    # What it tries all the same finds no host, and no proxy that would find one for it.
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    # The page numbers itself (`@page` in style.css); browsers would add a date and a path.
    "--no-pdf-header-footer",
    "--print-to-pdf-no-header",  # what it was called before Chromium 113
    "--generate-pdf-document-outline",
)
_NODES = re.compile(rb"\(node(\d{8})\)")
_DATES = re.compile(rb"/(?:CreationDate|ModDate) \(D:[^()]*\)")


class BrowserError(PhotoclfError):
    """No browser can print, or the one that was found didn't."""


def print_page(page: Path, *, timeout_s: float = TIMEOUT_S) -> Path:
    """Print an HTML file to a PDF beside it, as any browser's "Print to PDF" would.

    The browser gets a profile of its own that is thrown away, no network, and its sandbox unless
    it runs as root, where Chromium knows none. The PDF has an outline and tags for screen readers
    and no date: the same page printed by the same browser gives the same bytes.

    Args:
        page: A page of `page` or `report`: self-contained, with its paper set in its style.
        timeout_s: After so many seconds the browser is ended.

    Returns:
        The PDF: the page's name, ending in `.pdf`. It is replaced as a whole or not at all.

    Raises:
        BrowserError: If there is no page, no browser, or the browser fails, hangs or writes no PDF.
    """
    if not page.is_file():
        raise BrowserError(
            f"A page must exist before it is printed. Received: {str(page)!r}. Render it first."
        )
    browser = find_browser()
    with (
        tempfile.TemporaryDirectory(prefix="photoclf-", ignore_cleanup_errors=True) as profile,
        # Beside the page: a confined browser, as snaps are, reaches its user's folders alone.
        tempfile.TemporaryDirectory(
            prefix="printing-", dir=page.parent, ignore_cleanup_errors=True
        ) as place,
    ):
        printed = Path(place) / "page.pdf"
        said = _run(
            [
                str(browser),
                *_SWITCHES,
                *(("--no-sandbox",) if _is_root() else ()),
                f"--user-data-dir={profile}",
                f"--print-to-pdf={printed.absolute()}",
                page.absolute().as_uri(),
            ],
            Path(profile) / "said.txt",
            timeout_s,
        )
        data = printed.read_bytes() if printed.is_file() else b""
    if not (data.startswith(b"%PDF-") and b"%%EOF" in data[-1024:]):
        raise _failed(browser, f"{len(data)} bytes that are no whole PDF", said)
    target = page.with_suffix(".pdf")
    with replacing(target) as file:
        file.write(_settled(data))
    return target


def _settled(data: bytes) -> bytes:
    """Take from a PDF what differs between two prints of a page, without moving a byte.

    Chromium writes the time of printing, whatever `SOURCE_DATE_EPOCH` says; and it names the cells
    of tables by numbers that depend on what else it did meanwhile. Their order doesn't.
    """
    ranks = {node: rank for rank, node in enumerate(sorted(set(_NODES.findall(data))))}
    data = _NODES.sub(lambda found: b"(node%08d)" % ranks[found[1]], data)
    return _DATES.sub(lambda found: b" " * len(found[0]), data)


def find_browser() -> Path:
    """Find a browser that can print without a window: Chromium, Chrome or Edge.

    Returns:
        What `$CHROME` names when it is set, else the first of the usual ones that is installed.

    Raises:
        BrowserError: If there is none.
    """
    named = os.environ.get(BROWSER_VARIABLE, "")
    if named:
        found = shutil.which(named)
        if not found:
            raise BrowserError(
                f"${BROWSER_VARIABLE} must name a Chromium, Chrome or Edge that can be run."
                f" Received: {named!r}. Mend it, or unset it to have the usual places searched."
            )
        return Path(found)
    for candidate in (*_COMMANDS, *map(str, _usual_places())):
        found = shutil.which(candidate)
        if found:
            return Path(found)
    raise BrowserError(
        "A PDF is printed by a browser: Chromium, Chrome or Edge must be installed. Looked for:"
        f" {', '.join(_COMMANDS)}, and in the usual folders. Install one, name it in"
        f" ${BROWSER_VARIABLE}, or open the HTML page in any browser and print it to a PDF there."
    )


def _usual_places() -> Iterator[Path]:
    """Name where installers of macOS and Windows put browsers, which no PATH tells."""
    system: str = sys.platform  # a type checker would skip what isn't its own system's
    if system == "darwin":
        for folder in (Path("/Applications"), Path.home() / "Applications"):
            yield from (folder / f"{app}.app/Contents/MacOS/{app}" for app in _ON_MACOS)
    if system == "win32":
        for variable in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
            folder = Path(os.environ.get(variable) or "C:/")
            for app in _ON_WINDOWS:
                program = "msedge.exe" if app.endswith("Edge") else "chrome.exe"
                yield folder / app / "Application" / program


def _run(command: list[str], log: Path, timeout_s: float) -> str:
    """Run a browser to its end; return what it said last."""
    # Into a file: a process that the browser left behind would hold a pipe open.
    with open(log, "wb") as sink:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=os.name == "posix",
            )
        except OSError as error:
            raise _failed(Path(command[0]), f"{error.strerror}", "") from error
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            _end(process)
            told = f"nothing after {timeout_s:g} s"
            raise _failed(Path(command[0]), told, _last_line(log)) from None
        except BaseException:  # the user had enough
            _end(process)
            raise
    if code:
        raise _failed(Path(command[0]), f"exit code {code}", _last_line(log))
    return _last_line(log)


def _end(process: subprocess.Popen) -> None:
    """End a browser that still runs, with all that it started."""
    if os.name == "posix":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _failed(browser: Path, received: str, said: str) -> BrowserError:
    told = f", and it said: {said!r}" if said else ""
    return BrowserError(
        f"{browser} must print the page to a PDF. Received: {received}{told}. Try again, name"
        f" another browser in ${BROWSER_VARIABLE}, or print the HTML page from any browser."
    )


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
