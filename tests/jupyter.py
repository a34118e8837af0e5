"""A JupyterLab of a test's own: no browser, no network, nothing of the user's settings."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.chromium import Tab

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab.

    Args:
        url: Its address, with a slash at its end.
        token: What opens it.
        process: The number of its process.
    """

    url: str
    token: str
    process: int

    def page(self, notebook: str) -> str:
        """Return the address at which a notebook is open and alone."""
        return f"{self.url}doc/tree/{notebook}?token={self.token}&reset"

    def run_all(self, tab: Tab, notebook: str) -> None:
        """Run all cells of the notebook that is open in a tab, once its kernel is there."""
        tab.wait_for("window.jupyterapp && document.querySelector('.jp-Notebook .jp-Cell')", 60)
        end = time.monotonic() + 60
        while self.kernel(notebook).get("connections", 0) < 1:
            assert time.monotonic() < end, "a kernel must start within 60 s"
            time.sleep(0.05)
        tab.evaluate(
            """(async () => {
                const [panel] = jupyterapp.shell.widgets("main");
                jupyterapp.shell.activateById(panel.id);
                jupyterapp.commands.execute("notebook:run-all-cells");
            })()"""
        )

    def restart_kernel(self, tab: Tab, notebook: str) -> None:
        """Restart the kernel as a person does, and wait until it is there again."""
        tab.evaluate("void jupyterapp.commands.execute('kernelmenu:restart')")
        tab.wait_for("document.querySelector('.jp-Dialog .jp-mod-accept')")
        before = self.kernel(notebook)["last_activity"]
        tab.click(".jp-Dialog .jp-mod-accept")
        tab.wait_for("!document.querySelector('.jp-Dialog')")
        end = time.monotonic() + 60
        while (kernel := self.kernel(notebook))["execution_state"] != "idle" or (
            kernel["last_activity"] == before
        ):
            assert time.monotonic() < end, f"a kernel must be back within 60 s, not {kernel}"
            time.sleep(0.05)

    def kernel(self, notebook: str) -> dict[str, Any]:
        """Return what the server says of a notebook's kernel; nothing while it has none."""
        sessions = self.ask("api/sessions")
        return next((s["kernel"] for s in sessions if s["path"] == notebook), {})

    def ask(self, path: str, method: str = "GET") -> Any:
        """Call the server's REST interface."""
        headers = {"Authorization": f"token {self.token}"}
        data = b"{}" if method == "POST" else None
        request = Request(self.url + path, data=data, headers=headers, method=method)
        with urlopen(request, timeout=60) as answer:
            return json.load(answer)


@contextmanager
def open_lab(root: Path, *, theme: str = "JupyterLab Light") -> Iterator[Lab]:
    """Start a JupyterLab that serves a folder, and keeps what it keeps in one that is thrown away.

    Args:
        root: The folder.
        theme: Its colours.
    """
    # Of a short name: kernels are talked to over sockets there, whose paths may have 100 bytes.
    with (
        tempfile.TemporaryDirectory(prefix="lab-", ignore_cleanup_errors=True) as home,
        _serving(Path(home), root, theme) as lab,
    ):
        yield lab


@contextmanager
def _serving(home: Path, root: Path, theme: str) -> Iterator[Lab]:
    places = {name: home / name for name in ("config", "data", "runtime", "settings", "workspaces")}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    _write_setting(places["settings"], "notification", {"fetchNews": "false"})
    _write_setting(places["settings"], "themes", {"theme": theme})
    token = secrets.token_hex(16)
    environment = {
        "JUPYTER_CONFIG_DIR": str(places["config"]),
        "JUPYTER_DATA_DIR": str(places["data"]),
        "JUPYTER_RUNTIME_DIR": str(places["runtime"]),
        "JUPYTERLAB_SETTINGS_DIR": str(places["settings"]),
        "JUPYTERLAB_WORKSPACES_DIR": str(places["workspaces"]),
        "IPYTHONDIR": str(home / "ipython"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    with open(home / "log.txt", "wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"),
                "--ServerApp.port=0",
                "--ServerApp.ip=127.0.0.1",
                f"--ServerApp.root_dir={root}",
                f"--IdentityProvider.token={token}",
                "--LabApp.expose_app_in_browser=True",
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
                "--LabApp.news_url=",
                "--KernelManager.transport=ipc",  # ports of kernels that start at once collide
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | environment,
            cwd=root,
        )
        try:
            url = _wait_for_url(places["runtime"], process, home / "log.txt")
            yield Lab(url, token, process.pid)
        finally:
            process.terminate()  # which ends its kernels too
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _write_setting(folder: Path, name: str, values: dict[str, str]) -> None:
    place = folder / "@jupyterlab" / "apputils-extension" / f"{name}.jupyterlab-settings"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(values))


def _wait_for_url(runtime: Path, process: subprocess.Popen, log: Path) -> str:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        for note in runtime.glob("jpserver-*.json"):
            with suppress(ValueError, KeyError, OSError):
                url = str(json.loads(note.read_text())["url"])
                urlopen(f"{url}api", timeout=5).close()
                return url
        time.sleep(0.05)
    raise TimeoutError(f"JupyterLab must start within 60 s. Received: {log.read_text()[-2000:]}")
