"""Whether a new model is better than an old one: two evaluations on the same test images."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from photoclf.errors import RunError
from photoclf.evaluation import Evaluation, read_evaluation
from photoclf.paired import mcnemar
from photoclf.paired_metrics import UNTOLD, Change, judge, metric_changes
from photoclf.runs import Run

# What is compared; of the last two, less is better.
MEASURES = (
    "recall",
    "precision",
    "f1",
    "accuracy",
    "roc_auc",
    "average_precision",
    "brier",
    "log_loss",
)
# Two tests that share fewer images than this have too little in common to compare.
FEWEST_COMMON = 30

BOTH_RIGHT, MENDED, BROKEN, BOTH_WRONG = "both_right", "mended", "broken", "both_wrong"


@dataclass(frozen=True)
class NewModel:
    """What comparing two evaluations brought to light.

    Args:
        new: The new run's evaluation.
        old: The old one's.
        images: The test images of both, by pathname: `pathname`, `label`, `class_folder`,
            `source`, `group`, `old_score`, `new_score` and `outcome`: `both_right`, `mended` (the
            new one alone is right), `broken` (the old one alone is) or `both_wrong`.
        left_out: The test images of one alone: `pathname`, `group`, and `tested_by`, `new` or
            `old`.
        changes: One change a name of `MEASURES`.
        flipped_groups: Groups with an image that the two decide differently.
        draws: Resamplings behind the intervals.
        seed: Of the draws.
    """

    new: Evaluation
    old: Evaluation
    images: pd.DataFrame
    left_out: pd.DataFrame
    changes: dict[str, Change]
    flipped_groups: int
    draws: int
    seed: int

    @property
    def verdict(self) -> str:
        """See `paired_metrics.judge`; `untold` too when the images are all of one kind."""
        if self.images.label.nunique() < 2:
            return UNTOLD
        return judge(self.changes["f1"], self.flipped_groups)

    @property
    def photos(self) -> int:
        """Photographs among the images."""
        return int(self.images.label.sum())

    @property
    def groups(self) -> int:
        """Groups among the images."""
        return int(self.images.group.nunique())

    def count(self, outcome: str) -> int:
        """Return how many images came out so."""
        return int((self.images.outcome == outcome).sum())

    @property
    def mcnemar_p(self) -> float:
        """McNemar's exact p-value of both deciding equally often rightly."""
        return mcnemar(self.count(MENDED), self.count(BROKEN))

    def flipped(self, outcome: str) -> pd.DataFrame:
        """Return the mended or the broken images, from each class folder in turn.

        Of a folder those come first whose score changed most; one folder alone could fill a
        gallery otherwise.
        """
        rows = self.images[self.images.outcome == outcome]
        rows = rows.assign(jump=(rows.new_score - rows.old_score).abs())
        rows = rows.sort_values(["jump", "pathname"], ascending=[False, True])
        turn = rows.groupby("class_folder").cumcount()
        rows = rows.assign(turn=turn).sort_values("turn", kind="stable")
        return rows.drop(columns=["jump", "turn"]).reset_index(drop=True)

    @cached_property
    def folders(self) -> pd.DataFrame:
        """One row a class folder: `name`, `images`, `old_errors`, `new_errors`, both flips."""
        return self._errors_by(self.images.class_folder)

    def worst_sources(self, most: int = 8) -> pd.DataFrame:
        """Return the sub-folders with the most flips, in the form of `folders`."""
        named = self.images[self.images.source != ""]
        table = self._errors_by(named.class_folder + "/" + named.source)
        table = table[table.mended + table.broken > 0]
        order = (-table.mended - table.broken).argsort(kind="stable")
        return table.iloc[order].head(most).reset_index(drop=True)

    def openings(self) -> tuple[int, int, int]:
        """Return how often the test was opened by the old and the new run, and by others.

        Returns:
            Two numbers of openings, and the number of other runs that opened either test.
        """
        figures = (self.old.figures, self.new.figures)
        others = {name for known in figures for name in known["test_opened_by_other_runs"]}
        others -= {self.old.run.run_id, self.new.run.run_id}
        return figures[0]["test_openings"], figures[1]["test_openings"], len(others)

    def _errors_by(self, names: pd.Series) -> pd.DataFrame:
        outcome = self.images.outcome[names.index]
        columns = {
            "images": outcome.notna(),
            "old_errors": outcome.isin([MENDED, BOTH_WRONG]),
            "new_errors": outcome.isin([BROKEN, BOTH_WRONG]),
            "mended": outcome == MENDED,
            "broken": outcome == BROKEN,
        }
        return pd.DataFrame(columns).groupby(names.rename("name"), sort=True).sum().reset_index()


def compare_evaluations(new: Run, old: Run, *, draws: int = 2000, seed: int = 42) -> NewModel:
    """Compare two evaluated models on the test images that both were measured on.

    Each decides at its own threshold, with its own temperature, as it would be used. Two runs on
    one split share all of its test images. A release was evaluated without the images that it was
    trained on; these are left out for both.

    Args:
        new: An evaluated run, or the release.
        old: Another one.
        draws: Resamplings of groups for the 95 % intervals.
        seed: Same seed and evaluations, same intervals.

    Returns:
        The comparison. It opens no test: what each evaluation wrote is read.

    Raises:
        RunError: If both are the same run, one isn't evaluated, a label differs, or two different
            tests share fewer than `FEWEST_COMMON` images.
        ScoreError: If an evaluation holds a score or label that is none.

    Example:
        >>> found = compare_evaluations(run, load_run(models, "release"))   # doctest: +SKIP
        >>> found.verdict                                                   # doctest: +SKIP
        'better'
    """
    if new.folder.resolve() == old.folder.resolve():
        raise RunError(
            f"A model must be compared with another one. Received: {new.run_id} twice."
            " Name an old run that is not the new one."
        )
    sides = {"old": read_evaluation(old), "new": read_evaluation(new)}
    images, left_out = _common(sides)
    thresholds = sides["old"].threshold, sides["new"].threshold
    photo = images.label == 1
    right = [
        (images[f"{side}_score"] >= threshold) == photo
        for side, threshold in zip(sides, thresholds, strict=True)
    ]
    images["outcome"] = np.select(
        [right[0] & right[1], right[1], right[0]], [BOTH_RIGHT, MENDED, BROKEN], BOTH_WRONG
    )
    changes = metric_changes(
        images.label,
        images.old_score,
        images.new_score,
        images.group,
        thresholds=thresholds,
        names=MEASURES,
        draws=draws,
        seed=seed,
    )
    flipped = int(images.group[right[0] != right[1]].nunique())
    return NewModel(sides["new"], sides["old"], images, left_out, changes, flipped, draws, seed)


def _common(sides: dict[str, Evaluation]) -> tuple[pd.DataFrame, pd.DataFrame]:
    tests = {side: evaluation.side("test") for side, evaluation in sides.items()}
    old = tests["old"][["pathname", "label", "score"]]
    # By pathname, so that which one is called new moves no last digit.
    both = tests["new"].merge(old, on="pathname", suffixes=("", "_old")).sort_values("pathname")
    both = both.reset_index(drop=True)
    alone = [
        rows.loc[~rows.pathname.isin(both.pathname), ["pathname", "group"]].assign(tested_by=side)
        for side, rows in tests.items()
    ]
    left_out = pd.concat(alone, ignore_index=True)
    if len(both) < FEWEST_COMMON and len(left_out):
        raise RunError(
            f"Two models must have been measured on the same test, or share {FEWEST_COMMON} images"
            f" of their tests at least. Received: {len(both)} images in common.\n"
            + "\n".join(
                f"{sign} {sides[side].figures['split_hash']} ({sides[side].run.run_id},"
                f" {len(tests[side])} test images)"
                for sign, side in (("-", "old"), ("+", "new"))
            )
            + "\nEvaluate both on one split: photoclf evaluate --run RUN."
        )
    other = both[both.label != both.label_old]
    if len(other):
        raise RunError(
            "An image must have the same label in both evaluations. Received:"
            f" {other.pathname.iloc[0]!r}, {other.label_old.iloc[0]} of {sides['old'].run.run_id}"
            f" and {other.label.iloc[0]} of {sides['new'].run.run_id} ({len(other)} such images)."
            " Evaluate both again after correcting labels."
        )
    columns = ["pathname", "label", "class_folder", "source", "group", "score_old", "score"]
    names = {"score_old": "old_score", "score": "new_score"}
    return both[columns].rename(columns=names), left_out
