"""Heads on features: logistic regressions that give P(photo). Arrays in, numbers out."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from photoclf.config import BALANCES, TARGETS
from photoclf.errors import ConfigError, check_one_of

_ITERATIONS = 300
# A feature that hardly varies would be blown up by dividing by its spread.
_LEAST_SPREAD = 1e-3
# Other images of a folder are a kind of their own when they are nearly all that it holds.
_PURE = 0.9
_MIXED = ""  # comes first in the order of kinds


@dataclass(frozen=True)
class Head:
    """A fitted head.

    Args:
        mean: Of each feature over the images it was fitted to, (d,).
        spread: Their standard deviations, (d,).
        weights: (d, kinds), photographs last; (d, 1) for two kinds.
        bias: (kinds,) or (1,).
    """

    mean: np.ndarray
    spread: np.ndarray
    weights: np.ndarray
    bias: np.ndarray

    def log_odds(self, features: np.ndarray) -> np.ndarray:
        """Score images by the log-odds of P(photo), float64 (n,), see `scores`."""
        logits = ((features - self.mean) / self.spread) @ self.weights + self.bias
        logits = logits.astype(np.float64)
        if logits.shape[1] == 1:
            return logits[:, 0]
        return logits[:, -1] - np.logaddexp.reduce(logits[:, :-1], axis=1)

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Score images.

        Args:
            features: (n, d).

        Returns:
            P(photo), float64 (n,): of all kinds, what falls to photographs.
        """
        return expit(self.log_odds(features))

    def dense(self) -> tuple[np.ndarray, np.ndarray]:
        """Return kernel (d, kinds or 1) and bias of a dense layer on features as they are."""
        kernel = self.weights / self.spread[:, None]
        return kernel, self.bias - self.mean @ kernel


def fit_head(
    features: np.ndarray,
    images: pd.DataFrame,
    *,
    target: str = "label",
    balance: str = "none",
    strength: float = 0.01,
) -> Head:
    """Fit a logistic regression on standardised features.

    Args:
        features: float32 (n, d).
        images: The n images, with `label`, `class_folder` and `source`.
        target: What is told apart: `label` (two kinds), or `class_folder`: photographs and each
            class folder of other images. Others in a folder that holds photographs too (a box of
            everything, or images that a person took out of the photographs) are one kind more: such
            a folder doesn't say what they are.
        balance: `none`, or `source`: each class has the same weight, and a source inside it the
            square root of its size, so that large sources don't decide alone. Others in mixed
            folders weigh no more than as many of another kind.
        strength: Inverse of the L2 penalty (scikit-learn's `C`).

    Returns:
        The head.

    Raises:
        ConfigError: If the target or balance is unknown, or a label has no image.
    """
    for name, value, allowed in (("target", target, TARGETS), ("balance", balance, BALANCES)):
        check_one_of(name, value, allowed)
    if images.label.nunique() < 2:
        raise ConfigError(
            "A head must be fitted to photographs and other images. Received: label"
            f" {images.label.unique().tolist()} alone, {len(images)} images. Check the split."
        )
    kinds = _kinds(images, target)
    mean, spread = features.mean(axis=0), features.std(axis=0).clip(_LEAST_SPREAD)
    # lbfgs alone knows several classes and float32; more threads than free cores make it crawl.
    with threadpool_limits(1):
        fitted = LogisticRegression(C=strength, max_iter=_ITERATIONS, tol=1e-3).fit(
            (features - mean) / spread,
            kinds,
            sample_weight=_weights(images, kinds, target) if balance == "source" else None,
        )
    return Head(mean, spread, fitted.coef_.T, fitted.intercept_)


def count_kinds(images: pd.DataFrame, target: str) -> int:
    """Count what a head of a target tells apart."""
    return len(np.unique(_kinds(images, target)))


def _kinds(images: pd.DataFrame, target: str) -> np.ndarray:
    """Number what is told apart, int64 (n,). Photographs come last, in whatever folder they are."""
    others = images[target].astype(object).where(images.label == 0)
    if target == "class_folder":
        others = others.mask(_is_mixed(images) & (images.label == 0), _MIXED)
    codes = others.factorize(sort=True)[0]  # -1 for photographs
    return np.where(codes < 0, codes.max() + 1, codes)


def _is_mixed(images: pd.DataFrame) -> pd.Series:
    other = images.label == 0
    return other.groupby(images.class_folder).transform("mean") < _PURE


def _weights(images: pd.DataFrame, kinds: np.ndarray, target: str) -> np.ndarray:
    size = images.groupby(["class_folder", "source"]).label.transform("size").to_numpy()
    weight = pd.Series(1 / np.sqrt(size))
    weight /= weight.groupby(kinds).transform("sum")
    counts = np.bincount(kinds)
    mixed = (_is_mixed(images) & (images.label == 0)).to_numpy()
    if target == "class_folder" and mixed.any() and len(counts) > 2:
        # A few corrected images would weigh as much as all paintings together.
        weight[mixed] *= min(1.0, float(mixed.sum() / counts[1:-1].mean()))
    return weight.to_numpy() * len(images) / len(counts)
