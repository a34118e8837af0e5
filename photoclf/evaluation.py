"""A run's evaluation, as it stands in its folder."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from photoclf.band import Band
from photoclf.errors import RunError, TableError, check_one_of
from photoclf.files import sha256_file
from photoclf.run import Run
from photoclf.schema import EVALUATION
from photoclf.subgroups import GROUPINGS
from photoclf.tables import read_table

_NEEDED = ("threshold", "temperature", "val", "test", "review", "subgroups", "alarms", "left_out",
           "test_openings", "test_opened_by_other_runs", "predictions_sha256")  # fmt: skip


@dataclass(frozen=True)
class Evaluation:
    """A run's evaluation, as it stands in its folder.

    Args:
        run: The evaluated run.
        figures: What `eval/metrics.json` holds.
        predictions: A `schema.EVALUATION` frame, the val and test images with their scores.
    """

    run: Run
    figures: dict[str, Any]
    predictions: pd.DataFrame

    @property
    def threshold(self) -> float:
        """Score from which an image is called a photograph."""
        return self.figures["threshold"]

    def side(self, name: str) -> pd.DataFrame:
        """Return the predictions of `val` or `test`."""
        return self.predictions[self.predictions.split == name].reset_index(drop=True)

    @property
    def band(self) -> Band:
        """The review band: below it an image is left out by itself, above it called a photo."""
        point = self.figures["review"]["point"]
        return Band(point["low"], point["high"])

    def groups(self, by: str) -> list[dict[str, Any]]:
        """Return the error rates of the test images by one of `subgroups.GROUPINGS`.

        Raises:
            ConfigError: If there is no such kind of group.
        """
        check_one_of("by", by, GROUPINGS)
        return [row for row in self.figures["subgroups"] if row["by"] == by]

    def errors(self) -> pd.DataFrame:
        """Return the test images whose decision is wrong, the most confident first."""
        test = self._with_confidence()
        return test[(test.decision == "photo") != (test.label == 1)].reset_index(drop=True)

    def least_certain(self) -> pd.DataFrame:
        """Return the test images, those nearest to the threshold first."""
        return self._with_confidence()[::-1].reset_index(drop=True)

    def _with_confidence(self) -> pd.DataFrame:
        test = self.side("test")
        # How far beyond the threshold, as a share of the room on that side of it.
        room = np.where(test.decision == "photo", 1 - self.threshold, self.threshold)
        distance: pd.Series = (test.score - self.threshold).abs() / np.maximum(room, 1e-9)
        return test.assign(confidence=distance).sort_values(
            ["confidence", "pathname"], ascending=[False, True], ignore_index=True
        )


def read_evaluation(run: Run) -> Evaluation:
    """Read an evaluation that `evaluate.evaluate` wrote.

    Raises:
        RunError: If the run hasn't been evaluated, or was by another version.
    """
    if not run.is_evaluated:
        raise RunError(
            f"The run must have been evaluated. Received: {run.run_id}, which has no"
            f" eval/metrics.json. Evaluate it: photoclf evaluate --run {run.run_id}."
        )
    try:
        figures = run.read_object("eval/metrics.json", *_NEEDED)
        path = run.eval_folder / "predictions.csv"
        predictions = read_table(path, EVALUATION)
        whole = sha256_file(path) == figures["predictions_sha256"]
    except (RunError, TableError):
        whole = False
    if not whole:
        raise RunError(
            f"An evaluation must be whole and of this version. Received: that of {run.run_id},"
            " spoilt or of an earlier version. Evaluate it again: photoclf evaluate --run"
            f" {run.run_id}."
        )
    return Evaluation(run, figures, predictions)
