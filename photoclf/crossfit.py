"""Scores of images by a model that wasn't fitted to them: grouped cross-validation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from photoclf.weighted_metrics import ScoreError

FOLDS = 5

# Row numbers to fit to, and those to score.
Plan = Sequence[tuple[np.ndarray, np.ndarray]]


def boosted_trees(images: int, seed: int, **choices: Any) -> HistGradientBoostingClassifier:
    """Make an unfitted classifier that learns from few images as well as from many.

    Args:
        images: How many there are in all. scikit-learn's leaves of at least 20 images would leave
            an archive of 40 undivided, and everything about it would look unknowable.
        seed: Seed of the fit.
        choices: Other parameters of scikit-learn's classifier.
    """
    return HistGradientBoostingClassifier(
        max_leaf_nodes=15,
        min_samples_leaf=max(2, min(20, images // 40)),
        early_stopping=False,
        random_state=seed,
        **choices,
    )


def grouped_folds(
    labels: np.ndarray, groups: Sequence[str] | pd.Series, folds: int = FOLDS, seed: int = 42
) -> Plan:
    """Deal images into folds, groups whole and labels in proportion.

    Args:
        labels: 0 or 1, shape (n,).
        groups: The group of each image, shape (n,): look-alikes that must not be told apart.
        folds: Folds, 2 or more; fewer are made when a class has fewer groups.
        seed: Draws the folds.

    Returns:
        For each fold the row numbers to fit to and those to score; each row is scored once.

    Raises:
        ScoreError: If a class has fewer than two groups.
    """
    y, names = np.asarray(labels), np.asarray(groups)
    least = min(len(set(names[y == label])) for label in (0, 1))
    if least < 2:
        raise ScoreError(
            "Cross-validation needs at least two groups of photographs and two of other images."
            f" Received: {least} of one of them. Add images that don't look alike."
        )
    splitter = StratifiedGroupKFold(min(folds, least), shuffle=True, random_state=seed)
    return [
        (fitted, scored)
        for fitted, scored in splitter.split(np.zeros(len(y)), y, names)
        if len(scored) and len(set(y[fitted])) == 2
    ]


def planned_scores(
    model: Any, features: pd.DataFrame | np.ndarray, labels: np.ndarray, plan: Plan
) -> np.ndarray:
    """Score each planned row by a copy of the model that was fitted to the others.

    Args:
        model: An unfitted scikit-learn classifier.
        features: One row an image, shape (n, features).
        labels: 0 or 1, shape (n,).
        plan: What to fit to and what to score, see `grouped_folds`.

    Returns:
        P(photo), float64 (n,); NaN for rows that no part of the plan scores.
    """
    return scores_of(fitted_models(model, features, labels, plan), features)


def fitted_models(
    model: Any, features: pd.DataFrame | np.ndarray, labels: np.ndarray, plan: Plan
) -> list[tuple[Any, np.ndarray]]:
    """Fit a copy of the model for each part of a plan.

    Returns:
        The fitted copies, each with the row numbers that it may score.
    """
    # One thread: the parts are too small for more, and waiting threads of a busy machine cost
    # many times what they save.
    with threadpool_limits(1):
        return [
            (clone(model).fit(_rows(features, fitted), labels[fitted]), scored)
            for fitted, scored in plan
        ]


def scores_of(
    models: Sequence[tuple[Any, np.ndarray]], features: pd.DataFrame | np.ndarray
) -> np.ndarray:
    """Score with fitted models, each the rows that it may score.

    Returns:
        P(photo), float64 (n,); NaN for rows that no model scores.
    """
    scores = np.full(len(features), np.nan)
    with threadpool_limits(1):
        for model, rows in models:
            scores[rows] = model.predict_proba(_rows(features, rows))[:, 1]
    return scores


def shuffled_scores(
    models: Sequence[tuple[Any, np.ndarray]],
    features: pd.DataFrame,
    columns: Sequence[str],
    seed: int,
) -> np.ndarray:
    """Score the same rows when some columns are dealt at random among them, all as one.

    Source: Breiman, "Random forests", 2001, the permutation importance.

    Returns:
        P(photo), float64 (n,); NaN for rows that no model scores.
    """
    generator, shuffled = np.random.default_rng(seed), features.copy()
    for _, rows in models:
        dealt = features[list(columns)].iloc[generator.permutation(rows)]
        for name in columns:
            shuffled.loc[shuffled.index[rows], name] = dealt[name].to_numpy()
    return scores_of(models, shuffled)


def _rows(features: pd.DataFrame | np.ndarray, rows: np.ndarray) -> Any:
    return features.iloc[rows] if isinstance(features, pd.DataFrame) else features[rows]
