"""The threshold from which an image is called a photograph, by a named rule."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from photoclf.errors import ConfigError, check_one_of
from photoclf.weighted_metrics import ScoreError, check_scores

RULES = ("f1", "recall", "precision", "cost")


class ThresholdError(ScoreError):
    """No threshold does what a rule asks for."""


@dataclass(frozen=True)
class ThresholdRule:
    """What a threshold is chosen for.

    Args:
        name: `f1` takes the highest F1. `recall` takes the highest threshold that finds `at_least`
            this share of the photographs, `precision` the one that finds the most photographs while
            `at_least` this share of what is called a photograph is one. `cost` takes the least
            cost.
        at_least: For `recall` and `precision`, over 0 and at most 1.
        cost_missed: For `cost`: what a missed photograph costs, 0 or more, in any unit.
        cost_false: For `cost`: what another image costs that is called a photograph.

    Raises:
        ConfigError: If a value is missing or out of range.

    Example:
        >>> ThresholdRule("recall", 0.95).text
        'recall_at_least_0.95_on_val'
    """

    name: str = "f1"
    at_least: float | None = None
    cost_missed: float = 1.0
    cost_false: float = 1.0

    def __post_init__(self) -> None:
        check_one_of("rule", self.name, RULES)
        wanted = self.name in ("recall", "precision")
        if wanted and (self.at_least is None or not 0 < self.at_least <= 1):
            raise ConfigError(
                f"The rule `{self.name}` needs `at_least`, a share over 0 and up to 1."
                f" Received: {self.at_least!r}."
            )
        if not wanted and self.at_least is not None:
            raise ConfigError(
                f"`at_least` goes with the rules `recall` and `precision`. Received: the rule"
                f" {self.name!r} with at_least={self.at_least!r}. Leave one of them out."
            )
        costs = (self.cost_missed, self.cost_false)
        if not all(np.isfinite(cost) and cost >= 0 for cost in costs) or not any(costs):
            raise ConfigError(
                "`cost_missed` and `cost_false` must be 0 or more, and not both 0."
                f" Received: {costs}."
            )

    @property
    def text(self) -> str:
        """How the rule is recorded with an evaluation."""
        if self.name == "f1":
            return "max_f1_on_val"
        if self.name == "cost":
            return f"least_cost_{self.cost_missed:g}_to_{self.cost_false:g}_on_val"
        return f"{self.name}_at_least_{self.at_least:g}_on_val"


def choose_threshold(
    labels: ArrayLike, scores: ArrayLike, rule: ThresholdRule | None = None
) -> float:
    """Choose the threshold that does best by a rule.

    Choose it on validation images: on those that the model was fitted to it would be too bold,
    and on test images the test would no longer be one.

    Args:
        labels: 1 for a photo, 0 for anything else, shape (n,); at least one photo.
        scores: P(photo) in [0, 1], shape (n,).
        rule: What it is chosen for; the highest F1 by default.

    Returns:
        The middle between two neighbouring scores (or between the lowest one and 0, or the highest
        and 1); of several equally good ones the nearest to 0.5.

    Raises:
        ThresholdError: If no threshold reaches the rule's precision; it tells which can be reached.
        ScoreError: If there is no photo, lengths differ, or a value is out of range.

    Example:
        >>> choose_threshold([0, 0, 1, 1], [0.1, 0.4, 0.6, 0.9])
        0.5
    """
    rule = rule or ThresholdRule()
    y, s = check_scores(labels, scores)
    if not y.any():
        raise ScoreError(
            f"Choosing a threshold needs at least one photo. Received: {len(y)} labels, none of"
            " them 1. Use more validation images."
        )
    cuts, found, wrong = _cuts(y, s)
    value = _values(rule, found, wrong, int(y.sum()))
    best = cuts[value == value.max()]
    return float(best[np.argmin(np.abs(best - 0.5))])


def _cuts(y: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return every threshold that matters, the highest first, with what is at least as high."""
    order = np.argsort(-s, kind="stable")
    descending = s[order]
    # Cutting is possible only below the last of equal scores.
    ends = np.flatnonzero(np.append(descending[1:] != descending[:-1], True))
    above, below = descending[ends], np.append(descending, 0.0)[ends + 1]
    middles = below + (above - below) / 2
    # Between two adjacent floating-point numbers there is no middle.
    middles = np.where((middles > below) | (below == above), middles, above)
    found = np.cumsum(y[order])[ends]
    wrong = ends + 1 - found
    if descending[0] < 1:  # nothing is called a photograph
        middles = np.append(max((descending[0] + 1) / 2, np.nextafter(descending[0], 1)), middles)
        found, wrong = np.append(0, found), np.append(0, wrong)
    return middles, found, wrong


def _values(rule: ThresholdRule, found: np.ndarray, wrong: np.ndarray, photos: int) -> np.ndarray:
    taken, least = found + wrong, rule.at_least or 0.0
    if rule.name == "f1":
        return 2 * found / (taken + photos)
    if rule.name == "cost":
        return -(rule.cost_missed * (photos - found) + rule.cost_false * wrong)
    if rule.name == "recall":
        return np.where(found / photos >= least, -taken, -np.inf)
    precision = np.where(found > 0, found / np.maximum(taken, 1), 0)
    if precision.max() < least:
        raise ThresholdError(
            f"A threshold must reach a precision of {least:g} on the val images. Received:"
            f" scores with which {precision.max():.4g} is the highest. Ask for that or less, or"
            " train a better model."
        )
    # Of thresholds that find equally many, the one with the fewest others.
    return np.where(precision >= least, found - wrong / (taken.max() + 1), -np.inf)
