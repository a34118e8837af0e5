"""How a folder's images differ from those that a model learned from: tables in, numbers out."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from photoclf.crossfit import boosted_trees, grouped_folds, planned_scores
from photoclf.metric_intervals import bootstrap_intervals
from photoclf.metrics import classification_metrics
from photoclf.paired import holm
from photoclf.shortcuts import file_properties
from photoclf.two_samples import kolmogorov_smirnov, total_variation

# What the audit measures of a picture by itself; `odd_size` compares it with its own archive.
PICTURE = ("dark", "bright", "blurry", "low_information", "odd_aspect_ratio", "grayscale")
_YES_OR_NO = ("grayscale",)

# Images of a side that are compared: more make nothing clearer, only slower.
MOST = 5000
LEAST_GROUPS = 10

CLASSIFIERS = ("sees", "auc", "low", "high", "differs")
SHIFTS = ("feature", "kind", "distance", "p", "training", "folder", "differs")


@dataclass(frozen=True)
class Drift:
    """What a folder's images differ by from the training images.

    Args:
        training: Training images that were compared.
        folder: Images of the folder that were.
        classifiers: One row a classifier that was taught to tell them apart: what it `sees`
            (`file` or `picture`), its cross-validated `auc` with the 95 % interval `low` to
            `high`, and whether it `differs` from guessing (0.5).
        shifts: One row a property, the farthest first: `feature`, its `kind` (`file`, `picture` or
            `score`), `distance` from 0 (alike) to 1 (apart), `p` corrected for the number of
            properties, the middle or most frequent value in `training` and `folder`, and whether
            it `differs` (p < 0.05).
        problem: Why nothing could be measured; empty when it could.
    """

    training: int = 0
    folder: int = 0
    classifiers: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=CLASSIFIERS))
    shifts: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=SHIFTS))
    problem: str = ""


def measure_drift(
    training: pd.DataFrame,
    folder: pd.DataFrame,
    scores: tuple[pd.Series, pd.Series] | None = None,
    *,
    draws: int = 1000,
    seed: int = 42,
) -> Drift:
    """Measure how a folder's images differ from the training images.

    A classifier is taught to tell one from the other, by file properties and by what the audit
    measures of the picture; where it can't, no difference of these is left that matters. Any
    difference counts, also another share of photographs: drift is a reason to look, not a proof
    of errors.

    Args:
        training: Rows of a `schema.AUDIT` frame, of images that decode; of either side `MOST`,
            drawn at random, are compared.
        folder: The folder's rows of one.
        scores: The model's scores of images that it didn't learn from, and of the folder's; their
            distributions are compared too.
        draws: Bootstrap draws over groups for the intervals.
        seed: Of draws, folds and fits.

    Returns:
        The drift; with fewer than `LEAST_GROUPS` groups on a side, none and the reason.

    Source: Lopez-Paz & Oquab 2017, "Revisiting classifier two-sample tests"; the interval's width
    as Nadeau & Bengio 2003, "Inference for the generalization error", correct a cross-validation's
    variance.
    """
    least = min(training.group.nunique(), folder.group.nunique())
    if least < LEAST_GROUPS:
        return Drift(
            problem=f"Drift needs {LEAST_GROUPS} images that don't look alike on either side."
            f" Received: {least}."
        )
    kept, asked = (
        side.sample(min(len(side), MOST), random_state=seed).sort_index()
        for side in (training, folder)
    )
    both = pd.concat([kept, asked], ignore_index=True)
    here = np.repeat([0, 1], [len(kept), len(asked)])
    # Groups are named after a file, and both sides may have files of one name.
    groups = np.array(["training ", "folder "])[here].astype(object) + both.group.astype(str)
    features = _features(both)
    rows = [
        {"sees": kind, **_told_apart(part, here, groups, draws, seed)}
        for kind, part in features.items()
    ]
    first = (~groups.duplicated()).to_numpy()  # copies would be taken for evidence
    shifts = _shifts({k: part[first] for k, part in features.items()}, here[first], scores, seed)
    classifiers = pd.DataFrame(rows, columns=list(CLASSIFIERS))
    return Drift(len(kept), len(asked), classifiers, shifts)


def _features(both: pd.DataFrame) -> dict[str, pd.DataFrame]:
    files = file_properties(both)
    picture = both[list(PICTURE)].copy()
    for name in _YES_OR_NO:
        picture[name] = picture[name].astype("int64").astype(str).astype("category")
    return {"file": files, "picture": picture}


def _told_apart(
    features: pd.DataFrame, here: np.ndarray, groups: pd.Series, draws: int, seed: int
) -> dict[str, float | bool]:
    model = boosted_trees(len(here), seed, max_iter=60, categorical_features="from_dtype")
    plan = grouped_folds(here, groups, seed=seed)
    scores = planned_scores(model, features, here, plan)
    auc = classification_metrics(here, scores, 0.5)["roc_auc"]
    low, high = bootstrap_intervals(here, scores, 0.5, groups, draws=draws, seed=seed)["roc_auc"]
    # Folds share most of what they are fitted to, so that they are wrong together. Without this,
    # one folder in ten that doesn't differ would seem to.
    wider = np.sqrt(1 + len(plan) / (len(plan) - 1))
    low, high = max(auc - wider * (auc - low), 0.0), min(auc + wider * (high - auc), 1.0)
    return {"auc": auc, "low": low, "high": high, "differs": low > 0.5}


def _shifts(
    features: dict[str, pd.DataFrame],
    here: np.ndarray,
    scores: tuple[pd.Series, pd.Series] | None,
    seed: int,
) -> pd.DataFrame:
    rows = [
        _shift(name, kind, part[name][here == 0], part[name][here == 1], seed)
        for kind, part in features.items()
        for name in part.columns
    ]
    if scores is not None:
        unseen, scored = (side.dropna() for side in scores)
        rows.append(_shift("score", "score", unseen, scored, seed))
    table = pd.DataFrame(rows)
    table["p"] = holm(table.p.to_list())
    table["differs"] = table.p < 0.05
    ordered = table.sort_values(["distance", "feature"], ascending=[False, True])
    return ordered.reset_index(drop=True)[list(SHIFTS)]


def _shift(
    name: str, kind: str, training: pd.Series, folder: pd.Series, seed: int
) -> dict[str, object]:
    if isinstance(training.dtype, pd.CategoricalDtype):
        distance, p = total_variation(training.astype(str), folder.astype(str), seed=seed)
        usual: list[str | float] = [str(side.mode().iloc[0]) for side in (training, folder)]
    else:
        distance, p = kolmogorov_smirnov(training, folder)
        usual = [float(side.median()) for side in (training, folder)]
    facts = {"feature": name, "kind": kind, "distance": distance, "p": p}
    return facts | {"training": usual[0], "folder": usual[1]}
