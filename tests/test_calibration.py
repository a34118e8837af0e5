import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from photoclf.calibration import LIMITS, fit_temperature
from photoclf.metrics import classification_metrics
from photoclf.temperature import tempered
from photoclf.weighted_metrics import ScoreError


def overconfident(temperature, n=4000, seed=0):
    """Scores whose log-odds are a temperature too large, and labels."""
    odds = np.random.default_rng(seed).normal(0, 2, n)
    labels = (np.random.default_rng(seed + 1).random(n) < expit(odds)).astype(int)
    return labels, expit(odds * temperature)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_temperature_that_was_put_in_is_found(temperature):
    labels, scores = overconfident(temperature)
    assert fit_temperature(labels, scores) == pytest.approx(temperature, rel=0.1)


class Odds(ClassifierMixin, BaseEstimator):
    classes_ = np.array([0, 1])

    def fit(self, x, y):
        self.fitted_ = True
        return self

    def decision_function(self, x):
        return x[:, 0]

    def predict(self, x):
        return (x[:, 0] > 0).astype(int)


def test_it_is_scikit_learn_s_temperature_scaling():
    labels, scores = overconfident(2.0)
    odds = logit(scores)[:, None]
    theirs = CalibratedClassifierCV(
        FrozenEstimator(Odds().fit(odds, labels)), method="temperature"
    ).fit(odds, labels)
    ours = tempered(scores, fit_temperature(labels, scores))
    np.testing.assert_allclose(theirs.predict_proba(odds)[:, 1], ours, atol=5e-3)


def test_scores_become_better_calibrated_and_keep_their_order():
    labels, scores = overconfident(3.0)
    after = tempered(scores, fit_temperature(labels, scores))
    ece = [classification_metrics(labels, s, 0.5)["ece"] for s in (scores, after)]
    assert ece[1] < 0.025 < 0.1 < ece[0]
    assert (np.diff(after[np.argsort(scores)]) >= 0).all()


def test_images_told_apart_without_an_error_give_the_lowest_temperature_allowed():
    assert fit_temperature([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]) == pytest.approx(LIMITS[0], abs=1e-3)


def test_one_kind_of_label_alone_leaves_scores_as_they_are():
    assert fit_temperature([1, 1], [0.2, 0.9]) == 1


@given(st.floats(0, 1), st.floats(0.25, 4))
def test_every_score_stays_a_probability_on_its_side_of_one_half(score, temperature):
    after = tempered(np.array([score], np.float32), temperature)
    assert after.dtype == np.float32
    assert 0 <= after[0] <= 1
    assert (after[0] - 0.5) * (np.float32(score) - 0.5) >= -1e-6


def test_a_score_out_of_range_is_told():
    with pytest.raises(ScoreError):
        fit_temperature([0, 1], [0.5, 1.5])
