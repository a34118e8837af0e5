"""Which steps of a pipeline were done, with which inputs, and what they left."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from photoclf.files import read_json, sha256_file, sha256_text, write_json
from photoclf.paths import Workspace


class Journal:
    """Remembers, in `data/pipeline.json`, what each step read and wrote.

    Args:
        workspace: Whose steps they are.
        say: Tells each step, and which were done before.
    """

    def __init__(self, workspace: Workspace, say: Callable[[str], None]) -> None:
        self._path = workspace.data / "pipeline.json"
        self._root = workspace.root
        self._steps = _read_journal(self._path)
        self._say = say

    def step(
        self,
        name: str,
        inputs: Sequence[Any],
        outputs: Sequence[Path],
        work: Callable[[], Any],
        *,
        keep_others: bool = False,
    ) -> None:
        """Do a step, unless it was done with the same inputs and its outputs are as it left them.

        Args:
            name: What it is called.
            inputs: What it depends on; anything that JSON or `str` can write.
            outputs: The files that it writes.
            work: Does it.
            keep_others: Whether outputs that something else made are kept.
        """
        known = self._steps.get(name, {})
        fingerprint = sha256_text(json.dumps(inputs, default=str))
        written = known.get("outputs", {})
        intact = [self._hash(path) == written.get(self._name(path), "") for path in outputs]
        if all(intact) and known.get("inputs") == fingerprint:
            self._say(f"{name}: done before")
            return
        if keep_others and not any(intact) and all(path.is_file() for path in outputs):
            names = ", ".join(self._name(path) for path in outputs)
            self._say(f"{name}: kept {names}, made elsewhere; to make it anew, move it away")
            return
        self._say(f"{name} …")
        work()
        self._steps[name] = {
            "inputs": fingerprint,
            "outputs": {self._name(path): self._hash(path) for path in outputs},
        }
        write_json(self._path, self._steps)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    @staticmethod
    def _hash(path: Path) -> str | None:
        return sha256_file(path) if path.is_file() else None


def _read_journal(path: Path) -> dict[str, Any]:
    try:
        steps_done = read_json(path)
    except (OSError, ValueError):  # none yet, or a broken one: then nothing was done before
        return {}
    return steps_done if isinstance(steps_done, dict) else {}
