"""What gives the class away without the picture: a classifier that sees file properties alone."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from photoclf.crossfit import (
    FOLDS,
    Plan,
    boosted_trees,
    fitted_models,
    grouped_folds,
    planned_scores,
    scores_of,
    shuffled_scores,
)
from photoclf.errors import TableError
from photoclf.figures import measured
from photoclf.metrics import classification_metrics
from photoclf.split import usable_images
from photoclf.thresholds import choose_threshold

# Properties that stand for one another are judged together: of two that say the same, each alone
# would seem to matter to nobody.
PROPERTIES = {
    "dimensions": ("width", "height", "proportions"),
    "weight": ("bytes", "bytes_per_pixel"),
    "encoding": ("format", "mode", "exif"),
}

# Four times in five the file of a photograph can be told from another one, unopened: from here on
# a model's score can't be credited to what it sees. An archive whose file properties say nothing
# has 0.5; sources of different scanners alone, without a tie to the label, stay under 0.7.
WARNING_AUC = 0.8

_SURE = 0.9
_CROSS_VALIDATED_THRESHOLD = 0.5


def file_properties(audit: pd.DataFrame) -> pd.DataFrame:
    """Describe image files by all that isn't their picture.

    Args:
        audit: Rows of a `schema.AUDIT` frame, of images that decode.

    Returns:
        The columns of `PROPERTIES`, in px, bytes and ratios; `format`, `mode` and `exif` are
        categories.
    """
    width, height = (audit[side].astype("float64") for side in ("width", "height"))
    has_exif = audit["exif"] if "exif" in audit.columns else audit.exif_orientation.notna()
    return pd.DataFrame(
        {
            "width": width,
            "height": height,
            "proportions": width / height,
            "bytes": audit.bytes.astype("float64"),
            "bytes_per_pixel": audit.bytes / (width * height),
            "format": _rare_together(audit.format),
            "mode": _rare_together(audit["mode"]),
            "exif": _rare_together(has_exif.astype(str)),
        }
    ).reset_index(drop=True)


def check_shortcuts(
    audit: pd.DataFrame, *, folds: int = FOLDS, seed: int = 42, draws: int = 1000
) -> dict[str, Any]:
    """Measure how well an archive can be sorted without looking at a picture.

    A gradient-boosted classifier sees `file_properties` and is cross-validated, groups whole. On
    8,000 images it takes some ten seconds.

    Args:
        audit: A `schema.AUDIT` frame.
        folds: Folds of the cross-validation, 2 or more.
        seed: Seed of folds, fits and draws.
        draws: Bootstrap draws over groups for the 95 % intervals.

    Returns:
        Figures as `figures.measured` gives them, at the threshold 0.5, and `always_photo_f1` (of
        calling every image a photograph), `features` (each kind of property with its AUC and F1
        `alone`, and the AUC that is lost without it), `sources` (each sub-folder with what gives
        it away), `with_grayscale` (F1 and AUC once the classifier is also told whether an image is
        grey, which is content; `None` where the audit doesn't say) and `high`, whether
        to warn.

    Raises:
        ScoreError: If a class has fewer than two groups.

    Source: Geirhos et al., "Shortcut learning in deep neural networks", 2020.
    """
    images = usable_images(audit).reset_index(drop=True)
    plan = grouped_folds(_labels(images), images.group, folds, seed)
    trial = _Trial(images, plan, seed)
    everyone = np.ones(len(images), bool)
    told = _figures(trial, everyone, _CROSS_VALIDATED_THRESHOLD, draws)
    return told | {"folds": len(plan), "with_grayscale": _with_grayscale(trial)}


def shortcut_baseline(
    audit: pd.DataFrame, split: pd.DataFrame, *, seed: int = 42, draws: int = 1000
) -> dict[str, Any]:
    """Measure on a split's test what a model must beat: the classifier of file properties.

    It is fitted to the train images, its threshold is set on val as a model's is, and it is
    measured on the test images; so its figures may stand beside a model's.

    Args:
        audit: The `schema.AUDIT` frame that the split was made of.
        split: A `schema.SPLIT` frame.
        seed: Seed of the fit and the draws.
        draws: Bootstrap draws over groups for the 95 % intervals.

    Returns:
        As `check_shortcuts`, of the test images.

    Raises:
        TableError: If the audit lacks an image of the split.
    """
    strangers = sorted(set(split.pathname) - set(audit.pathname))
    if strangers:
        raise TableError(
            f"The audit must hold every image of the split. Received: {len(strangers)} images that"
            f" it lacks, such as {strangers[0]!r}. Audit the archive that was split: photoclf"
            " audit."
        )
    known = audit.set_index("pathname").loc[split.pathname].reset_index()
    images = known.assign(label=split.label.to_numpy(), group=split.group.to_numpy())
    side = split.split.to_numpy()
    plan = [(np.flatnonzero(side == "train"), np.flatnonzero(side != "train"))]
    trial, val = _Trial(images, plan, seed), side == "val"
    threshold = choose_threshold(trial.labels[val], trial.scores[val])
    return _figures(trial, side == "test", threshold, draws)


@dataclass(frozen=True)
class _Trial:
    """The classifier of file properties, fitted and asked as a plan says."""

    images: pd.DataFrame
    plan: Plan
    seed: int

    @cached_property
    def labels(self) -> np.ndarray:
        return _labels(self.images)

    @cached_property
    def features(self) -> pd.DataFrame:
        return file_properties(self.images)

    @cached_property
    def models(self) -> list[tuple[Any, np.ndarray]]:
        return fitted_models(
            _model(len(self.labels), self.seed), self.features, self.labels, self.plan
        )

    @cached_property
    def scores(self) -> np.ndarray:
        return scores_of(self.models, self.features)

    def scores_without(self, columns: tuple[str, ...]) -> np.ndarray:
        return shuffled_scores(self.models, self.features, columns, self.seed)

    def scores_from(self, features: pd.DataFrame) -> np.ndarray:
        return planned_scores(_model(len(self.labels), self.seed), features, self.labels, self.plan)


def _figures(trial: _Trial, judged: np.ndarray, threshold: float, draws: int) -> dict[str, Any]:
    labels, images = trial.labels[judged], trial.images[judged]
    scores = trial.scores[judged]
    figures = measured(labels, scores, threshold, images.group, draws=draws, seed=trial.seed)
    photos = labels.mean()
    return (
        {"threshold": threshold, "seed": trial.seed}
        | figures
        | {
            "always_photo_f1": float(2 * photos / (1 + photos)),
            "high": is_high(figures),
            "features": _features(trial, judged, threshold),
            "sources": _sources(images, scores, threshold),
        }
    )


def _features(trial: _Trial, judged: np.ndarray, threshold: float) -> list[dict[str, Any]]:
    labels = trial.labels[judged]
    auc = roc_auc_score(labels, trial.scores[judged])
    rows = []
    for name, columns in PROPERTIES.items():
        alone = trial.scores_from(trial.features[list(columns)])[judged]
        without = trial.scores_without(columns)[judged]
        lost = float(auc - roc_auc_score(labels, without))
        row = {"feature": name, "columns": list(columns)} | _short(labels, alone, threshold)
        rows.append(row | {"auc_lost_without": lost})
    return sorted(rows, key=lambda row: -row["roc_auc"])


def is_high(figures: dict[str, Any]) -> bool:
    """Tell whether file properties sort so well that a model's score must be read with a warning.

    From `WARNING_AUC` on, unless the images are so few that it may as well be chance.
    """
    auc, low = figures["metrics"]["roc_auc"], figures["intervals"]["roc_auc"][0]
    return auc is not None and auc >= WARNING_AUC and low is not None and low > 0.5


def _sources(images: pd.DataFrame, scores: np.ndarray, threshold: float) -> list[dict[str, Any]]:
    """Tell for each sub-folder how many of its images are recognised, and by what they share."""
    label = _labels(images)
    # As if both kinds were equally frequent: where most images are of one kind, a score near it
    # needs no file property.
    photos = label.mean()
    for_photo, for_other = scores / photos, (1 - scores) / (1 - photos)
    toward = np.where(label == 1, for_photo, for_other) / (for_photo + for_other)
    encoding = images.format + " " + images["mode"]
    size = images.width.astype(str) + " × " + images.height.astype(str)
    frame = pd.DataFrame(
        {
            "class_folder": images.class_folder.to_numpy(),
            "source": images.source.to_numpy(),
            "label": label,
            "right": (scores >= threshold) == (label == 1),
            "sure": toward >= _SURE,
            "encoding": encoding.to_numpy(),
            "signature": (encoding + " " + size).to_numpy(),
        }
    )
    rows = []
    for (folder, source), part in frame.groupby(["class_folder", "source"], sort=True):
        shared = _shared_trait(part)
        column = "signature" if shared in set(part.signature) else "encoding"
        with_it = frame[frame[column] == shared]
        rows.append(
            {
                "class_folder": str(folder),
                "source": str(source),
                "images": len(part),
                "recognised": int(part.right.sum()),
                "sure": int(part.sure.sum()),
                "trait": shared,
                "with_trait": int((part[column] == shared).sum()),
                # Of all images like that, wherever they lie, the share that has this label.
                "of_this_label": float((with_it.label == part.label.iloc[0]).mean()),
            }
        )
    return sorted(rows, key=lambda row: (-row["sure"], row["class_folder"], row["source"]))


def _shared_trait(part: pd.DataFrame) -> str:
    sizes = part.signature.value_counts()
    if sizes.iloc[0] * 2 >= len(part):  # most of the source has one size
        return str(sizes.index[0])
    return str(part.encoding.value_counts().index[0])


def _with_grayscale(trial: _Trial) -> dict[str, Any] | None:
    if "grayscale" not in trial.images.columns:
        return None
    features = trial.features.assign(grayscale=trial.images.grayscale.to_numpy())
    return _short(trial.labels, trial.scores_from(features), _CROSS_VALIDATED_THRESHOLD)


def _short(labels: np.ndarray, scores: np.ndarray, threshold: float) -> dict[str, Any]:
    metrics = classification_metrics(labels, scores, threshold)
    return {name: metrics[name] for name in ("roc_auc", "f1")}


def _model(images: int, seed: int) -> HistGradientBoostingClassifier:
    return boosted_trees(images, seed, max_iter=60, categorical_features="from_dtype")


def _labels(images: pd.DataFrame) -> np.ndarray:
    return images.label.astype("int64").to_numpy()


def _rare_together(values: pd.Series, most: int = 50) -> pd.Series:
    """Keep the most frequent values as categories; the classifier takes 255 at most."""
    kept = values.value_counts().index[:most]
    return values.where(values.isin(kept), "other").astype("category")
