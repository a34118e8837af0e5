"""Heads on features: logistic regressions that give P(photo). Arrays in, numbers out."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from photoclf.errors import ConfigError, check_one_of

TARGETS = ("label", "class_folder")
BALANCES = ("none", "source")
_ITERATIONS = 300
# A feature that hardly varies would be blown up by dividing by its spread.
_LEAST_SPREAD = 1e-3


@dataclass(frozen=True)
class Head:
    """A fitted head.

    Args:
        mean: Of each feature over the images it was fitted to, (d,).
        spread: Their standard deviations, (d,).
        weights: (d, classes), or (d, 1) for two classes.
        bias: (classes,) or (1,).
        photo: Which of the classes are photographs, bool (classes,).
    """

    mean: np.ndarray
    spread: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    photo: np.ndarray

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Score images.

        Args:
            features: (n, d).

        Returns:
            P(photo), float64 (n,): the probabilities of the classes that are photographs, summed.
        """
        logits = ((features - self.mean) / self.spread) @ self.weights + self.bias
        if logits.shape[1] == 1:
            logits = np.hstack([np.zeros_like(logits), logits])
        logits = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
        odds = np.exp(logits)
        return odds[:, self.photo].sum(axis=1) / odds.sum(axis=1)


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
        target: What is told apart: `label` (two classes) or `class_folder` (all of them, of which
            P(photo) is then the photographs' part).
        balance: `none`, or `source`: each class has the same weight, and a source inside it the
            square root of its size, so that large sources don't decide alone.
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
    mean, spread = features.mean(axis=0), features.std(axis=0).clip(_LEAST_SPREAD)
    # lbfgs alone knows several classes and float32; more threads than free cores make it crawl.
    with threadpool_limits(1):
        fitted = LogisticRegression(C=strength, max_iter=_ITERATIONS, tol=1e-3).fit(
            (features - mean) / spread,
            images[target].to_numpy(),
            sample_weight=_weights(images, target) if balance == "source" else None,
        )
    photos = set(images[target][images.label == 1])
    return Head(
        mean=mean,
        spread=spread,
        weights=fitted.coef_.T,
        bias=fitted.intercept_,
        photo=np.array([name in photos for name in fitted.classes_]),
    )


def _weights(images: pd.DataFrame, target: str) -> np.ndarray:
    size = images.groupby(["class_folder", "source"]).label.transform("size").to_numpy()
    weight = pd.Series(1 / np.sqrt(size), images.index)
    weight /= weight.groupby(images[target]).transform("sum")
    return weight.to_numpy() * len(images) / images[target].nunique()
