"""Which parameters mattered: importance, effect on average, and whether chance does as much."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from photoclf.paired import holm

# Fewer points than these say nothing of importance; fewer than those, little.
FEWEST_POINTS, FEW_POINTS = 4, 10
_PERMUTATIONS = 2000
# More values of a number than these are put into parts.
_MOST_LEVELS, _POINTS_FOR_THIRDS = 3, 9


def parameter_effects(
    points: pd.DataFrame, varied: Sequence[str], *, less_is_better: bool = True, seed: int = 42
) -> pd.DataFrame:
    """Measure what each varied parameter did to the objective.

    The effect of a parameter is the range of the objective's averages over its values; numbers
    with many values are put into thirds, or halves of few points. Whether it is more than chance
    is told by permuting points, after what the other parameters explain on average was taken away.

    Args:
        points: From `points.point_table`.
        varied: The parameters.
        less_is_better: Whether the objective is a loss.
        seed: Of the permutations and of the forest that measures importance.

    Returns:
        One row a parameter, the most important first: `parameter`, `importance` (share of the
        objective's variance, adding up to 1; NaN where it can't be told), `best` and `worst`
        (values, or `≤ x`, `x – y` and `> y` for parts), `best_mean`, `worst_mean`, `effect` (their
        distance), `p` and `p_holm` (corrected for the number of parameters; NaN where it can't be
        told).

    Source: Hutter, Hoos & Leyton-Brown 2014, "An Efficient Approach for Assessing Hyperparameter
        Importance" (fANOVA, by Optuna); Freedman & Lane 1983 for the permutations.
    """
    importances = parameter_importances(points, varied, seed=seed)
    rows = []
    for name in varied:
        levels = _levels(points[name])
        means = points["mean"].groupby(levels, sort=False).mean().sort_values()
        ends = (0, -1) if less_is_better else (-1, 0)
        best, worst = (means.index[end] for end in ends)
        row = {"parameter": name, "importance": importances.get(name, np.nan)}
        row |= {"best": best, "worst": worst, "best_mean": means[best], "worst_mean": means[worst]}
        row |= {"effect": abs(means[worst] - means[best]), "p": _chance(points, varied, name, seed)}
        rows.append(row)
    columns = ["parameter", "importance", "best", "worst", "best_mean", "worst_mean", "effect", "p"]
    table = pd.DataFrame(rows, columns=columns).astype({"importance": "float64", "p": "float64"})
    table["p_holm"] = np.nan
    told = table["p"].notna()
    table.loc[told, "p_holm"] = holm(table.loc[told, "p"].to_list())
    return table.sort_values(
        ["importance", "effect"], ascending=False, kind="stable", ignore_index=True
    )


def parameter_importances(
    points: pd.DataFrame, varied: Sequence[str], *, seed: int = 42
) -> dict[str, float]:
    """Ask Optuna's fANOVA which share of the objective's variance each parameter explains.

    Returns:
        Parameter → share, adding up to 1. Empty with fewer than two parameters or four points,
        when all points are equally good, and where Optuna (the extra `scale`) isn't installed.
    """
    if len(varied) < 2 or len(points) < FEWEST_POINTS or points["mean"].nunique() < 2:
        return {}
    try:  # here: it takes a second to load, and prediction does without it
        import optuna
    except ImportError:
        return {}
    spaces = {name: _distribution(points[name]) for name in varied}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={name: _plain(row[name]) for name in varied},
                distributions=spaces,
                value=float(row["mean"]),
            )
            for _, row in points.iterrows()
        ]
    )
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    return optuna.importance.get_param_importances(
        study, evaluator=evaluator, params=list(varied), normalize=True
    )


def _distribution(values: pd.Series) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not pd.api.types.is_numeric_dtype(values):
        return CategoricalDistribution(sorted(set(values)))
    if pd.api.types.is_integer_dtype(values):
        return IntDistribution(int(values.min()), int(values.max()))
    low, high = float(values.min()), float(values.max())
    return FloatDistribution(low, high, log=low > 0 and high / low >= 10)


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _levels(values: pd.Series) -> pd.Series:
    if not pd.api.types.is_numeric_dtype(values) or values.nunique() <= _MOST_LEVELS:
        return values.map(lambda value: f"{value:.3g}" if isinstance(value, float) else str(value))
    # Thirds show what is best in the middle, as learning rates are; few points make halves.
    parts = 3 if len(values) >= _POINTS_FOR_THIRDS else 2
    cuts = sorted(set(np.quantile(values, np.arange(1, parts) / parts, method="lower")))
    cuts = [cut for cut in cuts if cut < values.max()]
    names = [f"≤ {cuts[0]:.3g}", *(f"{a:.3g} – {b:.3g}" for a, b in pairwise(cuts))]
    names.append(f"> {cuts[-1]:.3g}")
    return pd.Series(np.array(names)[np.searchsorted(cuts, values)], index=values.index)


def _chance(points: pd.DataFrame, varied: Sequence[str], name: str, seed: int) -> float:
    """Return how often permuted points show as large an effect; NaN with too few points."""
    level = pd.get_dummies(_levels(points[name])).to_numpy(float)
    others = [pd.get_dummies(_levels(points[other])) for other in varied if other != name]
    known = np.hstack([np.ones((len(points), 1)), *(table.to_numpy(float) for table in others)])
    free = len(points) - np.linalg.matrix_rank(np.hstack([known, level]))
    if len(points) < FEWEST_POINTS or free < 1:
        return np.nan
    without, entire = _rest_of(known), _rest_of(np.hstack([known, level]))
    rest = without @ points["mean"].to_numpy()
    generator = np.random.default_rng(seed)
    permuted = generator.permuted(np.tile(rest, (_PERMUTATIONS, 1)), axis=1)
    tried = np.vstack([rest, permuted])
    # Both fitted again, as for an F-test: the ratio hardly depends on how many others there are.
    left = ((tried @ entire) ** 2).sum(axis=1) + 1e-300
    ratio = ((tried @ without) ** 2).sum(axis=1) / left
    return float((ratio >= ratio[0] * (1 - 1e-9)).mean())


def _rest_of(design: np.ndarray) -> np.ndarray:
    """Return the projection onto what a linear model leaves unexplained."""
    return np.eye(len(design)) - design @ np.linalg.pinv(design)
