"""The folders of a workspace, and where an archive is; importing this touches no file."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from photoclf.errors import ArchiveError, ConfigError, did_you_mean
from photoclf.files import replacing

ARCHIVE_VARIABLE = "PHOTOCLF_ARCHIVE"


@dataclass(frozen=True)
class Workspace:
    """The folder that holds what the project produces from one archive.

    Args:
        root: The workspace's folder. It holds `data/`, `models/` and `reports/`.
        split_name: The split to work on: one of a plan, such as `without_2`, or a grown one; empty
            for `data/split.csv`.

    Raises:
        ConfigError: If there is no split of that name.
    """

    root: Path
    split_name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(os.path.expanduser(self.root)).resolve())
        names = [path.stem for path in self.named_splits] if self.split_name else []
        if self.split_name and self.split_name not in names:
            raise ConfigError(
                f"`split` must be one of data/splits ({', '.join(names) or 'none is made'}), or"
                f" empty for data/split.csv. Received: {self.split_name!r}."
                f"{did_you_mean(self.split_name, names)} A plan is made by photoclf split --plan, a"
                " grown split by photoclf split --grow NAME."
            )

    @property
    def data(self) -> Path:
        """Tables and pixels."""
        return self.root / "data"

    @property
    def models(self) -> Path:
        """One folder a run."""
        return self.root / "models"

    @property
    def reports(self) -> Path:
        """Rendered reports and figures."""
        return self.root / "reports"

    @property
    def manifest(self) -> Path:
        """`pathname;label` of each labelled file."""
        return self.data / "manifest.csv"

    @property
    def audit(self) -> Path:
        """One row a file of the archive."""
        return self.data / "audit.csv"

    @property
    def ledger(self) -> Path:
        """How many files have which status and reason."""
        return self.data / "ledger.csv"

    @property
    def labels(self) -> Path:
        """The journal of what people decided, see `label_journal`."""
        return self.data / "labels.csv"

    @property
    def class_folders(self) -> Path:
        """Class folders that labels may name, though the archive has none, see `label_folders`."""
        return self.data / "class_folders.json"

    @property
    def splits(self) -> Path:
        """The folder of named splits: those of a plan, and grown ones."""
        return self.data / "splits"

    @property
    def planned_splits(self) -> list[Path]:
        """The splits of the plan, in its order; empty without a plan."""
        return [path for path in self.named_splits if path.stem.startswith("without_")]

    @property
    def named_splits(self) -> list[Path]:
        """All splits but `data/split.csv`: the plan's in its order, and grown ones."""
        order = re.compile(r"(\d+)")  # without_10 comes after without_9
        return sorted(
            self.splits.glob("*.csv"),
            key=lambda path: [int(p) if p.isdigit() else p for p in order.split(path.stem)],
        )

    @property
    def split(self) -> Path:
        """The frozen split that is worked on."""
        return self.splits / f"{self.split_name}.csv" if self.split_name else self._main_split

    @property
    def all_splits(self) -> list[Path]:
        """`data/split.csv`, the splits of the plan and grown ones, those that are there."""
        return [path for path in (self._main_split, *self.named_splits) if path.is_file()]

    @property
    def cache(self) -> Path:
        """Decoded pixels, one folder a content and size."""
        return self.data / "cache"

    @property
    def features(self) -> Path:
        """What pretrained networks make of images, one folder a network and view."""
        return self.data / "features"

    @property
    def choice(self) -> Path:
        """The run that comparing chose on the split that is worked on, and why."""
        return self._of_split(self.models) / "choice.json"

    @property
    def sweeps(self) -> Path:
        """How far each sweep on the split that is worked on is, one folder a sweep."""
        return self._of_split(self.models) / "sweeps"

    @property
    def comparison(self) -> Path:
        """Tables, figures and pages of runs on the split that is worked on."""
        return self._of_split(self.reports) / "comparison"

    @property
    def archive_note(self) -> Path:
        """The text file that names the archive's folder when nothing else does."""
        return self.data / "path.txt"

    @property
    def _main_split(self) -> Path:
        return self.data / "split.csv"

    def _of_split(self, folder: Path) -> Path:
        """What runs on different splits lead to is kept apart: it is never compared."""
        return folder / "splits" / self.split_name if self.split_name else folder


def resolve_archive(
    archive: str | Path | None,
    workspace: Workspace,
    environment: Mapping[str, str] | None = None,
) -> Path:
    """Find the archive: the parameter, else the environment, else `data/path.txt`.

    Args:
        archive: The archive's folder; `None` or an empty text when it isn't given.
        workspace: Its `data/path.txt` is the last resort; a relative path in it is relative to
            the workspace.
        environment: Environment variables; `os.environ` by default.

    Returns:
        The archive's folder, absolute.

    Raises:
        ArchiveError: If none names an archive, or what is named isn't a folder one may read.
    """
    environment = os.environ if environment is None else environment
    if archive:
        place, origin = os.fspath(archive), "the parameter `archive`"
    elif environment.get(ARCHIVE_VARIABLE):
        place, origin = environment[ARCHIVE_VARIABLE], f"${ARCHIVE_VARIABLE}"
    elif remembered := remembered_archive(workspace):
        place, origin = str(remembered), str(workspace.archive_note)
    else:
        raise ArchiveError(
            "The archive's folder must be known. Received: nothing. Give it as `--archive DIR`"
            f" (or the parameter `archive`), set ${ARCHIVE_VARIABLE}, or write it into"
            f" {workspace.archive_note}."
        )
    folder = Path(os.path.abspath(os.path.expanduser(place)))
    if workspace.root.is_relative_to(folder.resolve()):
        raise ArchiveError(
            "The workspace must lie outside the archive, where nothing is written. Received: the"
            f" workspace {workspace.root} in the archive {folder}. Give another --workspace DIR."
        )
    if not folder.is_dir():
        what = "a file" if folder.exists() else "nothing there"
        raise ArchiveError(
            f"The archive must be a folder. Received: {folder} ({what}), from {origin}."
            " Check the spelling and that the disk is mounted."
        )
    if not os.access(folder, os.R_OK | os.X_OK):
        raise ArchiveError(
            f"The archive must be readable. Received: {folder}, which this user may not read."
            " Ask for read access to the folder."
        )
    return folder


def remembered_archive(workspace: Workspace) -> Path | None:
    """Return the archive that `data/path.txt` names, whether it is there or not."""
    note = workspace.archive_note
    if not note.is_file():
        return None
    # As the file system does: bytes that aren't UTF-8 are kept, so that any folder can be named.
    text = note.read_text(encoding="utf-8-sig", errors="surrogateescape").strip()
    if not text:
        return None
    return Path(os.path.abspath(os.path.join(workspace.root, os.path.expanduser(text))))


def remember_archive(workspace: Workspace, archive: Path) -> None:
    """Write where the archive is into `data/path.txt`, for the verbs that come after."""
    if remembered_archive(workspace) != archive:
        with replacing(workspace.archive_note) as file:
            file.write(f"{archive}\n".encode("utf-8", "surrogateescape"))


def check_outside(out: Path, sources: Sequence[Path | None], what: str) -> None:
    """Check that a file doesn't go where images come from.

    Args:
        out: The file to write.
        sources: Folders in which nothing is written.
        what: What the file is, for the error.

    Raises:
        ConfigError: If it lies in one of them.
    """
    for source in sources:
        if source is not None and out.resolve().is_relative_to(source.resolve()):
            raise ConfigError(
                f"The {what} must go outside of what is predicted. Received: {out}, in"
                f" {source}, where nothing is written. Give another place."
            )


def find_notebook(name: str) -> Path:
    """Find a notebook that comes with the project.

    Args:
        name: Its name without `.ipynb`, such as `09_client_report`.

    Raises:
        ConfigError: If there is no such notebook.
    """
    return _find("notebook", name, _notebooks_folder().glob("*.ipynb"))


def find_space(name: str) -> Path:
    """Find a search space that comes with the project.

    Args:
        name: Its name without `.yaml`, such as `depth`.

    Raises:
        ConfigError: If there is no such space.
    """
    return _find("space", name, (_notebooks_folder() / "spaces").glob("*.yaml"))


def list_spaces() -> list[str]:
    """List the names of the search spaces that come with the project."""
    return sorted(path.stem for path in (_notebooks_folder() / "spaces").glob("*.yaml"))


def release_folder() -> Path:
    """Return where the release that comes with the project is."""
    return _brought("models") / "release"


def _notebooks_folder() -> Path:
    return _brought("notebooks")


def _brought(name: str) -> Path:
    package = Path(__file__).parent
    checkout = package.parent / "notebooks"
    # Installed from a wheel, what comes with the project lies inside the package.
    return (package.parent if checkout.is_dir() else package) / name


def _find(kind: str, name: str, files: Iterable[Path]) -> Path:
    known = {path.stem: path for path in files}
    if name not in known:
        raise ConfigError(
            f"A {kind} must be one of {', '.join(sorted(known)) or 'none'}."
            f" Received: {name!r}.{did_you_mean(name, known)}"
        )
    return known[name]
