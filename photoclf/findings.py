"""What a client's report tells of a run: the ledger, the figures and the errors, gathered."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from photoclf.audit import ledger
from photoclf.decode import DecodeError, decode_image, read_bytes
from photoclf.demo_archive import DEMO_MARKER
from photoclf.errors import ArchiveError, ConfigError, RunError, TableError, did_you_mean
from photoclf.evaluation import Evaluation, read_evaluation
from photoclf.files import sha256_bytes
from photoclf.heat import read_heat
from photoclf.paths import Workspace, resolve_archive
from photoclf.runs import Run
from photoclf.schema import AUDIT, NEIGHBOURS, STRESS, SUSPECTS, Table, check_table
from photoclf.tables import read_table

_BLURRED = 8


@dataclass(frozen=True)
class Findings:
    """What is known of a run and its archive when its report is written.

    Args:
        run: An evaluated run.
        evaluation: Its evaluation.
        audit: The archive's `schema.AUDIT` frame.
        archive: The archive's folder; `None` when it can't be reached.
        show_only: Folders, relative to the archive, whose pictures may be shown; others are
            blurred. Empty: all may be.
    """

    run: Run
    evaluation: Evaluation
    audit: pd.DataFrame
    archive: Path | None
    show_only: tuple[str, ...] = ()

    @property
    def figures(self) -> dict[str, Any]:
        """What `eval/metrics.json` holds."""
        return self.evaluation.figures

    @property
    def stress(self) -> pd.DataFrame | None:
        """What `photoclf stress` measured of the run (`schema.STRESS`); `None` if it can't be had.

        What was measured at another decision than the evaluation's isn't shown. A release brings
        what was measured when it was made, of the test of its own split.
        """
        table = self._table("stress.csv", STRESS)
        own = self.run.provenance.get("split_hash") == self.figures["split_hash"]
        if table.empty and self.run.is_release and own:
            table = check_table(pd.DataFrame((self.run.release or {}).get("stress", [])), STRESS)
        decided = [self.figures["threshold"], self.figures["temperature"]]
        if table.empty or not np.allclose(table[["threshold", "temperature"]], decided):
            return None
        return table

    @property
    def heat(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Where the run looked in its most confident errors, see `heat.read_heat`."""
        if self.archive is None:
            return {}
        maps = read_heat(self.run)
        return {name: (self._shown(name, pixels), heat) for name, (pixels, heat) in maps.items()}

    @property
    def is_demo(self) -> bool:
        """Whether the archive is the demonstration archive; its marker is in the audit too."""
        marked = self.archive is not None and (self.archive / DEMO_MARKER).is_file()
        return marked or bool((self.audit.pathname == DEMO_MARKER).any())

    @cached_property
    def ledger(self) -> pd.DataFrame:
        """Columns `status;reason;files`; the files add up to those received."""
        return ledger(self.audit)

    @property
    def used(self) -> pd.DataFrame:
        """The audit's rows of the images that were used."""
        return self.audit[self.audit.status == "used"]

    @property
    def folders(self) -> pd.DataFrame:
        """Columns `class_folder;label;images` of the images used, the largest folder first."""
        counts = self.used.groupby(["class_folder", "label"], dropna=False, sort=True).size()
        table = counts.rename("images").reset_index()
        return table.sort_values("images", ascending=False, kind="stable", ignore_index=True)

    @property
    def conflicts(self) -> int:
        """Number of images that stand both among the photographs and elsewhere."""
        return int(self.used.label_conflict.sum())

    @cached_property
    def errors(self) -> pd.DataFrame:
        """The wrong test images, the most confident first."""
        return self.evaluation.errors()

    @property
    def suspects(self) -> pd.DataFrame:
        """The val and test images whose label the scores contradict (`schema.SUSPECTS`)."""
        return self._table("suspects.csv", SUSPECTS)

    @property
    def neighbours(self) -> pd.DataFrame:
        """The training images nearest to errors (`schema.NEIGHBOURS`)."""
        return self._table("neighbours.csv", NEIGHBOURS)

    def _table(self, name: str, table: Table) -> pd.DataFrame:
        """Read what the page can do without: empty where it is missing or spoilt."""
        try:
            return read_table(self.run.eval_folder / name, table)
        except TableError:
            return check_table(pd.DataFrame(columns=list(table.columns)), table)

    def interval(self, metric: str) -> tuple[float, float] | None:
        """Return a test metric's 95 % interval, `None` where it has none."""
        low, high = self.figures["test"]["intervals"].get(metric, (None, None))
        return None if low is None or high is None else (low, high)

    def worst_sources(self, most: int = 8) -> list[dict[str, Any]]:
        """Return the sub-folders with the most errors, as `subgroups.subgroup_rates` does."""
        rows = [row for row in self.evaluation.groups("source") if row["errors"]]
        return sorted(rows, key=lambda row: (-row["errors"], -row["rate"]))[:most]

    def openings(self) -> tuple[int, int]:
        """Return how often the test was opened at least, and by how many runs."""
        others = len(self.figures["test_opened_by_other_runs"])
        return self.figures["test_openings"] + others, 1 + others

    def picture(self, pathname: str) -> np.ndarray | str:
        """Decode an image for showing.

        Returns:
            uint8 RGB (height, width, 3), or why there is none: `no_picture`, or `changed` when the
            file isn't the one that was measured.
        """
        if self.archive is None:
            return "no_picture"
        try:
            data = read_bytes(self.archive / pathname)
            if sha256_bytes(data) != self._hashes.get(pathname):
                return "changed"
            return self._shown(pathname, decode_image(data))
        except DecodeError:
            return "no_picture"

    def _shown(self, pathname: str, pixels: np.ndarray) -> np.ndarray:
        allowed = any(pathname.startswith(f"{folder.rstrip('/')}/") for folder in self.show_only)
        return pixels if allowed or not self.show_only else blurred(pixels)

    @cached_property
    def _hashes(self) -> dict[str, str]:
        return dict(zip(self.audit.pathname, self.audit.sha256, strict=True))


def read_findings(
    run: Run, workspace: Workspace, archive: str | Path = "", show_only: Sequence[str] = ()
) -> Findings:
    """Gather what a report tells of an evaluated run.

    Args:
        run: The run.
        workspace: Holds the audit.
        archive: The archive's folder, see `resolve_archive`; where none is found, pictures lack.
        show_only: Folders whose pictures may be shown, see `Findings`.

    Returns:
        The findings.

    Raises:
        ConfigError: If no audited file lies in one of the folders.
        RunError: If the run isn't evaluated, or was evaluated on images that aren't in the audit.
        TableError: If the archive wasn't audited.
    """
    evaluation = read_evaluation(run)
    audit = read_table(workspace.audit, AUDIT)
    strangers = set(evaluation.predictions.pathname) - set(audit.pathname)
    if strangers:
        raise RunError(
            f"A report's audit must be that of the run's archive. Received: {run.run_id}, evaluated"
            f" on {len(strangers)} images that the audit lacks, such as {min(strangers)!r}."
            " Audit the archive that the run was trained on: photoclf audit."
        )
    for name in show_only:
        if not audit.pathname.str.startswith(f"{name.rstrip('/')}/").any():
            folders = sorted({str(path).rsplit("/", 1)[0] for path in audit.pathname})
            raise ConfigError(
                "A folder to show must be one of the archive. Received:"
                f" {name!r}.{did_you_mean(name, folders)}"
            )
    try:
        folder = resolve_archive(archive, workspace)
    except ArchiveError:
        folder = None
    return Findings(run, evaluation, audit, folder, tuple(show_only))


def blurred(pixels: np.ndarray) -> np.ndarray:
    """Leave of a picture what 8 by 8 mean colours tell.

    Args:
        pixels: uint8 RGB (height, width, 3).

    Returns:
        Of the same shape.
    """
    image = Image.fromarray(pixels)
    small = image.resize((_BLURRED, _BLURRED), Image.Resampling.BOX)
    return np.asarray(small.resize(image.size, Image.Resampling.BICUBIC))
