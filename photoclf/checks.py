"""What to know before trusting a figure: shortcuts and suspected labels, of a workspace."""

from pathlib import Path
from typing import Any

import pandas as pd

from photoclf.cache import build_cache
from photoclf.errors import RunError
from photoclf.files import write_json
from photoclf.label_check import CHEAP_MODEL, PICTURE_SIZE, cheap_scores, find_suspects
from photoclf.paths import Workspace, resolve_archive
from photoclf.run import Run
from photoclf.schema import AUDIT, EVALUATION, SUSPECTS
from photoclf.shortcuts import check_shortcuts as measure_shortcuts
from photoclf.split import usable_images
from photoclf.tables import read_table, write_table


def check_shortcuts(workspace: Workspace, *, seed: int = 42) -> dict[str, Any]:
    """Measure how well the archive can be sorted without looking, and write data/shortcuts.json.

    Returns:
        The figures, see `shortcuts.check_shortcuts`.
    """
    figures = measure_shortcuts(read_table(workspace.audit, AUDIT), seed=seed)
    write_json(workspace.data / "shortcuts.json", figures)
    return figures


def check_labels(
    workspace: Workspace,
    run: Run | None = None,
    *,
    archive: str | Path | None = None,
    seed: int = 42,
    progress: bool = False,
) -> pd.DataFrame:
    """List the images whose label out-of-sample scores contradict, and write data/suspects.csv.

    Args:
        workspace: Holds the audit.
        run: An evaluated run, whose scores of val and test images are taken: it wasn't fitted to
            them. Without one, every image is scored by a simple model that was fitted to others.
        archive: The archive's folder, needed without a run; see `resolve_archive`.
        seed: Seed of that simple model and its folds.
        progress: Whether to show a progress bar while pictures are decoded.

    Returns:
        A `schema.SUSPECTS` frame, the most suspect first. No label is changed.

    Raises:
        RunError: If the run hasn't been evaluated.
    """
    if run is not None:
        images = _scored_images(run)
        suspects = find_suspects(images, images.score, run.run_id)
    else:
        images = usable_images(read_table(workspace.audit, AUDIT))
        pixels = build_cache(
            resolve_archive(archive, workspace),
            images,
            workspace.cache,
            image_size=PICTURE_SIZE,
            fit="squash",
            progress=progress,
        )
        suspects = find_suspects(images, cheap_scores(pixels, images, seed=seed), CHEAP_MODEL)
    write_table(suspects, workspace.data / "suspects.csv", SUSPECTS)
    return suspects


def _scored_images(run: Run) -> pd.DataFrame:
    path = run.eval_folder / "predictions.csv"
    if not path.is_file():
        raise RunError(
            f"The run must have been evaluated. Received: {run.run_id}, which has no scores."
            f" Evaluate it: photoclf evaluate --run {run.run_id}."
        )
    return read_table(path, EVALUATION)
