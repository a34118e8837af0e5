"""A random sample of predicted files that a person labels, and what it says once it is labelled."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from photoclf.errors import TableError, did_you_mean
from photoclf.escaping import unescape_pathname
from photoclf.finite_sample import hypergeometric_interval, sample_size
from photoclf.intervals import exact_interval
from photoclf.prevalence import ShareEstimate
from photoclf.schema import CHECK_SHEET, LABELS
from photoclf.tables import read_raw, write_table

ALLOWED = (LABELS[1], LABELS[0])

# Share, low, high: of 0 to 1.
Figure = tuple[float, float, float]
_UNKNOWN: Figure = (float("nan"), 0.0, 1.0)


@dataclass(frozen=True)
class HumanCheck:
    """What a labelled sample says of a folder.

    Args:
        population: Files with a score, from which the sample was drawn.
        images: Files of the sample.
        missing: Those without a label. While there are any, nothing is estimated: who labels
            what is easy first has labelled no random sample.
        share: Of photographs in the folder, with the exact 95 % interval of a sample without
            replacement.
        precision: Of the images called photographs, the share that are; the interval likewise.
        recall: Of the photographs, the share that was found, with the exact binomial interval: how
            many photographs there are isn't known, so none is taken off for their number.
        false_alarms: Of the other images, the share that is called photographs, likewise.
        contradicts: Which of `share`, `recall` and `false_alarms` have an interval that doesn't
            meet the one that the adjusted estimate has or assumes; None without an estimate. A
            share may be right by chance though the errors behind it aren't.
    """

    population: int
    images: int
    missing: int
    share: Figure = _UNKNOWN
    precision: Figure = _UNKNOWN
    recall: Figure = _UNKNOWN
    false_alarms: Figure = _UNKNOWN
    contradicts: tuple[str, ...] | None = None


def wanted_size(predictions: pd.DataFrame, precision: float, estimate: ShareEstimate) -> int:
    """Return how many files a person has to look at.

    Args:
        predictions: A `schema.PREDICTIONS` frame.
        precision: Half of the 95 % interval that is wanted, such as 0.05.
        estimate: What is expected; of its interval the share that needs the most files.

    Returns:
        Files, see `finite_sample.sample_size`; 0 when nothing has a score.
    """
    population = len(_population(predictions))
    share = float(np.clip(0.5, estimate.low, estimate.high))
    return sample_size(population, precision, share) if population else 0


def draw_sheet(path: Path, predictions: pd.DataFrame, size: int, seed: int) -> pd.DataFrame:
    """Draw files at random and write the sheet in which a person labels them.

    The files stand in the order in which they were drawn, so that a longer sheet of one seed
    begins with the shorter one. A sheet in which anybody wrote is left as it is.

    Args:
        path: Where the sheet is, or goes.
        predictions: A `schema.PREDICTIONS` frame; files with a score are drawn from.
        size: Files to draw.
        seed: Same seed and files, same sheet.

    Returns:
        The sheet as it stands there, a `schema.CHECK_SHEET` frame.

    Raises:
        TableError: If another file stands there, or a label in it is mistyped.
    """
    if path.exists():
        sheet = read_sheet(path)
        if (sheet.label != "").any():
            return sheet
    drawn = _drawn(predictions, seed).head(size).assign(label="")
    write_table(drawn, path, CHECK_SHEET)
    return read_sheet(path)


def read_sheet(path: Path) -> pd.DataFrame:
    """Read a sheet, however a spreadsheet saved it.

    Returns:
        A `schema.CHECK_SHEET` frame; labels in lower case without spaces around. Scores are NaN
        where a spreadsheet rewrote them.

    Raises:
        TableError: If it isn't a sheet, or a label is neither empty nor one of `ALLOWED`.
    """
    raw = read_raw(path, CHECK_SHEET.name)
    if list(raw.columns) != list(CHECK_SHEET.columns):
        raise TableError(
            f"A check sheet must have the columns {';'.join(CHECK_SHEET.columns)}. Received:"
            f" {path} with {';'.join(map(str, raw.columns))}. It is left as it is: save it"
            " `;`-separated with these columns, or move it away."
        )
    # Spreadsheets save rows that somebody once clicked into, and leave them empty.
    filled = raw[(raw != "").any(axis=1)]
    labels = filled.label.str.strip().str.lower()
    wrong = np.flatnonzero(~labels.isin([*ALLOWED, ""]))
    if len(wrong):
        row, name = filled.index[wrong[0]], filled.pathname.iloc[wrong[0]]
        received = filled.label.iloc[wrong[0]]
        raise TableError(
            f"A label must be one of {ALLOWED}, or empty. Received: {received!r} in row"
            f" {int(str(row)) + 2} of {path}, for {name!r} ({len(wrong)} such rows; row 1 holds"
            f" the names of the columns).{did_you_mean(received.strip().lower(), ALLOWED)}"
        )
    return pd.DataFrame(
        {
            "pathname": filled.pathname.map(unescape_pathname),
            "score": pd.to_numeric(filled.score, errors="coerce").astype("float64"),
            "decision": filled.decision,
            "label": labels,
        }
    ).reset_index(drop=True)


def judge_sheet(
    sheet: pd.DataFrame,
    predictions: pd.DataFrame,
    seed: int,
    threshold: float,
    estimate: ShareEstimate | None = None,
) -> HumanCheck:
    """Tell what a labelled sheet says of its folder.

    Args:
        sheet: A `schema.CHECK_SHEET` frame; its names and labels count, scores are taken from the
            predictions.
        predictions: The `schema.PREDICTIONS` frame that it was drawn from.
        seed: The seed that it was drawn with.
        threshold: Score from which an image is called a photograph, also where a band leaves it to
            a person.
        estimate: The adjusted estimate to compare with.

    Returns:
        Figures with exact 95 % intervals; none while a label is missing.

    Raises:
        TableError: If the files aren't those that the seed draws: then they are no random sample.
    """
    drawn = _drawn(predictions, seed).head(len(sheet))
    strangers = sorted(set(sheet.pathname) - set(drawn.pathname))
    lost = sorted(set(drawn.pathname) - set(sheet.pathname))
    if strangers or lost or sheet.pathname.duplicated().any():
        example = next(iter([*strangers, *lost, *sheet.pathname[sheet.pathname.duplicated()]]))
        raise TableError(
            f"A check sheet must hold the {len(sheet)} files that the seed {seed} draws, each once."
            f" Received: {len(strangers)} others, {len(lost)} of them missing, such as"
            f" {example!r}. Rows were removed or added, or the folder has changed: draw a new sheet"
            " under another name, or with another seed."
        )
    population, images = len(_population(predictions)), len(sheet)
    missing = int((sheet.label == "").sum())
    if missing or not images:
        return HumanCheck(population, images, missing)
    scores = sheet.pathname.map(predictions.set_index("pathname").score)
    photo, called = sheet.label == "photo", scores >= threshold
    all_called = int((predictions.score >= threshold).sum())
    check = HumanCheck(
        population,
        images,
        missing,
        share=_share(int(photo.sum()), images, population),
        # Of the files that are called photographs, those in the sample are a random sample too.
        precision=_share(int((photo & called).sum()), int(called.sum()), all_called),
        recall=_proportion(int((photo & called).sum()), int(photo.sum())),
        false_alarms=_proportion(int((~photo & called).sum()), int((~photo).sum())),
    )
    if estimate is None or np.isnan(estimate.share):
        return check
    return replace(check, contradicts=_contradictions(check, estimate))


def _contradictions(check: HumanCheck, estimate: ShareEstimate) -> tuple[str, ...]:
    pairs = {
        "share": (check.share, (estimate.low, estimate.high)),
        "recall": (check.recall, estimate.recall_interval),
        "false_alarms": (check.false_alarms, estimate.false_alarms_interval),
    }
    apart = {
        name: here[2] < there[0] or there[1] < here[1] for name, (here, there) in pairs.items()
    }
    return tuple(name for name, is_apart in apart.items() if is_apart)


def _population(predictions: pd.DataFrame) -> pd.DataFrame:
    return predictions[predictions.decision != ""]


def _drawn(predictions: pd.DataFrame, seed: int) -> pd.DataFrame:
    files = _population(predictions).sort_values("pathname", ignore_index=True)
    order = np.random.default_rng(seed).permutation(len(files))
    return files.loc[order, ["pathname", "score", "decision"]].reset_index(drop=True)


def _share(successes: int, sample: int, population: int) -> Figure:
    if not sample:
        return _UNKNOWN
    low, high = hypergeometric_interval(successes, sample, population)
    return successes / sample, low / population, high / population


def _proportion(successes: int, trials: int) -> Figure:
    return (successes / trials, *exact_interval(successes, trials)) if trials else _UNKNOWN
