"""What was found of a folder that nobody has sorted, in tables and lines that fit on a page."""

import textwrap
from collections.abc import Mapping

import pandas as pd

from photoclf.drift import Drift
from photoclf.human_check import HumanCheck
from photoclf.novelty import Novelty
from photoclf.prevalence import ShareEstimate

CALLED, HUMAN = "called", "human"


def share_table(
    estimates: Mapping[str, ShareEstimate], check: HumanCheck | None = None
) -> pd.DataFrame:
    """Put every way to know a folder's share of photographs side by side.

    Args:
        estimates: See `unlabelled.estimate_shares`.
        check: What people found in a sample.

    Returns:
        `name` (`called`, that of each estimate, `human`), `share` with its 95 % interval `low` to
        `high` (NaN where unknown; of the count `called` all three are one), the `recall` and
        `false_alarms` that an estimate assumes, and its `problem`.
    """
    called = next(iter(estimates.values())).called
    rows = [{"name": CALLED, "share": called, "low": called, "high": called, "problem": ""}]
    rows += [
        {
            "name": name,
            **{key: getattr(estimate, key) for key in ("share", "low", "high")},
            **{key: getattr(estimate, key) for key in ("recall", "false_alarms", "problem")},
        }
        for name, estimate in estimates.items()
    ]
    if check is not None:
        share, low, high = check.share
        problem = (
            "" if check.images and not check.missing else " ".join(check_summary(check).split())
        )
        rows.append({"name": HUMAN, "share": share, "low": low, "high": high, "problem": problem})
    columns = ["name", "share", "low", "high", "recall", "false_alarms", "problem"]
    return pd.DataFrame(rows).reindex(columns=columns)


def drift_summary(drift: Drift) -> str:
    """Say in a few lines whether a folder's images can be told from the training images."""
    if drift.problem:
        return _wrapped(f"Drift can't be measured. {drift.problem}")
    told = [
        f"By {'file properties' if row.sees == 'file' else 'the picture'}: AUC {row.auc:.2f}"
        f" [{row.low:.2f}, {row.high:.2f}], "
        + ("told apart." if row.differs else "not told apart.")
        for row in drift.classifiers.itertuples()
    ]
    shifted = int(drift.shifts.differs.sum())
    told.append(
        f"{shifted} of {len(drift.shifts)} properties shifted by more than chance, {drift.folder}"
        f" images against {drift.training} of training."
    )
    return "\n".join(told)


def novelty_summary(reference_problem: str, found: Novelty | None) -> str:
    """Say how many images were flagged, and whether any could have been."""
    if found is None:
        return _wrapped(f"No image can be flagged. {reference_problem}")
    line = f"{int(found.flagged.sum())} of {len(found.p)} images flagged."
    if found.least > len(found.p):
        line += " None could have been: there are too few calibration images."
    elif found.least > 1:
        line += f" At least {found.least} must be as strange as can be before any is flagged."
    return _wrapped(line)


def stranger_titles(strangers: pd.DataFrame) -> list[str]:
    """Title each image of `unlabelled.folder_novelty` with its p-value, and ⚑ when flagged."""
    pairs = zip(strangers.p, strangers.flagged, strict=True)
    return [f"p = {p:.3f}{' ⚑' if flagged else ''}" for p, flagged in pairs]


def check_table(check: HumanCheck) -> pd.DataFrame:
    """Show a sample's figures, one a row, with `value` and its interval `low` to `high`."""
    names = ("share", "precision", "recall", "false_alarms")
    figures = {name: getattr(check, name) for name in names}
    return pd.DataFrame.from_dict(figures, orient="index", columns=["value", "low", "high"])


def check_summary(check: HumanCheck) -> str:
    """Say how far the labelling is, or whether the sample agrees with the adjusted estimate."""
    if not check.images:
        return "The sample is empty: no file has a score."
    if check.missing:
        return _wrapped(
            f"{check.missing} of {check.images} labels are missing. Nothing is estimated until all"
            " are there: the files that are labelled first are no random sample."
        )
    if check.contradicts is None:
        verdict = "There is no adjusted estimate to compare with."
    elif check.contradicts:
        named = " and ".join(name.replace("_", " ") for name in check.contradicts)
        verdict = (
            f"It CONTRADICTS what the adjusted estimate says or assumes: {named}. The model's"
            " errors here aren't those of its test. Trust the sample."
        )
    else:
        verdict = "The adjusted estimate, and the errors that it assumes, agree with it."
    return _wrapped(f"{check.images} of {check.population} files were looked at. {verdict}")


def _wrapped(text: str) -> str:
    # A notebook's page would break longer lines amid words.
    return "\n".join(textwrap.fill(line, 84) for line in text.split("\n"))
