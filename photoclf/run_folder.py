"""What predicting asks of a run's folder, without reading a table."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photoclf.errors import RunError
from photoclf.files import read_json, sha256_file

RELEASE = "release.json"  # a release's figures; no other run has it


@dataclass(frozen=True)
class RunFolder:
    """A run's folder. Every property reads its file when asked, so a growing run can be watched.

    Args:
        folder: `models/<run_id>/`.
    """

    folder: Path

    @property
    def run_id(self) -> str:
        """`YYYYMMDD-HHMMSS_<model>_<hash8>`, the folder's name."""
        return self.folder.name

    @property
    def done(self) -> bool:
        """Whether the run came to its end: `done` is written last."""
        return (self.folder / "done").is_file()

    @property
    def release(self) -> dict[str, Any] | None:
        """What a release decides by and what is known of it; `None` of any other run.

        Raises:
            RunError: If it isn't what the release was made with.
        """
        if not self.is_release:
            return None
        self.check_hash(RELEASE)
        return self.read_object(RELEASE, "threshold", "temperature", "threshold_rule")

    @property
    def is_release(self) -> bool:
        """Whether this is a release: what it finished with tells, else what is there."""
        if not self.done:
            return (self.folder / RELEASE).is_file()
        return RELEASE in self.finished_with

    @property
    def finished_with(self) -> dict[str, str]:
        """The hashes of the files that the run finished with; none while it is unfinished."""
        hashes = self.read_object("done", "sha256")["sha256"] if self.done else {}
        return hashes if isinstance(hashes, dict) else {}

    @property
    def exported_model(self) -> Path:
        """The same model for predicting without TensorFlow."""
        return self.folder / "model.tflite"

    @property
    def eval_folder(self) -> Path:
        """Where evaluation writes its numbers."""
        return self.folder / "eval"

    @property
    def is_evaluated(self) -> bool:
        """Whether evaluation has left its figures."""
        return (self.eval_folder / "metrics.json").is_file()

    def need(self, name: str) -> Path:
        """Return the path of a file in the folder.

        Raises:
            RunError: If it isn't there; the error tells what is.
        """
        path = self.folder / name
        if not path.is_file():
            raise RunError(
                f"The run {self.run_id} must hold {name}. Received: {_what_is_in(self.folder)}."
                " Restore the file, or delete the folder and train again."
            )
        return path

    def read(self, name: str) -> Any:
        """Read a JSON file of the folder.

        Raises:
            RunError: If it is missing or isn't JSON.
        """
        path = self.need(name)
        try:
            return read_json(path)
        except ValueError as error:
            raise RunError(
                f"{name} of the run {self.run_id} must be JSON. Received: {error}."
                f" Restore the file, or delete {self.folder} and train again."
            ) from error

    def read_object(self, name: str, *keys: str) -> dict[str, Any]:
        """Read a JSON object of the folder that has some keys.

        Raises:
            RunError: If it is missing, isn't a JSON object, or lacks a key.
        """
        content = self.read(name)
        if not isinstance(content, dict) or not set(keys) <= set(content):
            raise RunError(
                f"{name} of the run {self.run_id} must be a JSON object"
                f" with {', '.join(keys) or 'its values'}. Received: {str(content)[:60]!r}."
                f" Restore the file, or delete {self.folder} and train again."
            )
        return content

    def check_hash(self, name: str) -> None:
        """Check that a file is the one that the run finished with.

        Raises:
            RunError: If it is missing or another one.
        """
        expected, received = self.finished_with.get(name), sha256_file(self.need(name))
        if received != expected:
            raise RunError(
                f"{name} of the run {self.run_id} must be the file that the run finished with.\n"
                f"- {expected}\n+ {received}\nRestore it, or delete {self.folder} and train again."
            )


def _what_is_in(folder: Path) -> str:
    if not folder.is_dir():
        return "no such folder"
    names = sorted(p.name for p in folder.iterdir())
    return f"a folder with {', '.join(names)}" if names else "an empty folder"
