import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from photoclf.errors import PhotoclfError
from photoclf.metric_intervals import bootstrap_intervals
from photoclf.metrics import (
    calibration_table,
    classification_metrics,
    confusion,
)
from photoclf.thresholds import choose_threshold
from photoclf.weighted_metrics import METRICS, ScoreError

# Few distinct scores make many ties; 0, 1 and 0.5 are where clipping and deciding turn.
SCORE = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]) | st.floats(0, 1)
ROWS = st.lists(st.tuples(st.integers(0, 1), SCORE), min_size=1, max_size=40)
THRESHOLD = st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 1)


def columns(rows):
    y, s = zip(*rows, strict=True)
    return np.array(y), np.array(s)


def some(n=300, seed=0):
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 2, n)
    return y, np.clip(generator.normal(0.3 + 0.4 * y, 0.25), 0, 1)


@settings(deadline=None, max_examples=150)
@given(ROWS, THRESHOLD)
def test_metrics_equal_scikit_learns_wherever_both_exist(rows, threshold):
    y, s = columns(rows)
    decided = (s >= threshold).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = {
            "precision": sk.precision_score(y, decided, zero_division=np.nan),
            "recall": sk.recall_score(y, decided, zero_division=np.nan),
            "f1": sk.f1_score(y, decided, zero_division=np.nan),
            "specificity": sk.recall_score(y, decided, pos_label=0, zero_division=np.nan),
            "accuracy": sk.accuracy_score(y, decided),
            "brier": sk.brier_score_loss(y, s),
            "log_loss": sk.log_loss(y, s, labels=[0, 1]),
        }
        if len(set(y)) == 2:
            expected["balanced_accuracy"] = sk.balanced_accuracy_score(y, decided)
            expected["roc_auc"] = sk.roc_auc_score(y, s)
        if y.any():
            expected["average_precision"] = sk.average_precision_score(y, s)
    received = classification_metrics(y, s, threshold)
    assert set(received) == set(METRICS)
    for name, value in expected.items():
        np.testing.assert_allclose(received[name], value, rtol=1e-12, atol=1e-12, err_msg=name)


@given(ROWS, THRESHOLD)
def test_the_four_counts_add_up_to_the_images(rows, threshold):
    y, s = columns(rows)
    counts = confusion(y, s, threshold)
    assert sum(counts.values()) == len(y)
    assert counts["tp"] + counts["fn"] == y.sum()
    assert counts["tp"] + counts["fp"] == (s >= threshold).sum()


@pytest.mark.parametrize(
    ("labels", "undefined"),
    [
        (
            [0, 0],
            {"precision", "recall", "f1", "balanced_accuracy", "roc_auc", "average_precision"},
        ),
        ([1, 1], {"precision", "specificity", "balanced_accuracy", "roc_auc"}),
        ([], set(METRICS)),
    ],
)
def test_what_a_missing_class_leaves_undefined_is_nan_without_a_warning(labels, undefined):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        received = classification_metrics(labels, [0.2] * len(labels), 0.5)
    assert {name for name, value in received.items() if math.isnan(value)} == undefined


def test_all_scores_equal_rank_nothing():
    received = classification_metrics([1, 0, 0, 0], [0.5] * 4, 0.5)
    assert received["roc_auc"] == 0.5
    assert received["average_precision"] == 0.25


def test_the_calibration_error_weighs_each_bins_gap_by_its_images():
    labels, scores = [1, 0, 1, 1], [0.81, 0.85, 0.3, 1.0]
    # Bins [0.8, 0.9): |0.83 − 0.5|·2, [0.3, 0.4): |0.3 − 1|, [0.9, 1]: 0.
    received = classification_metrics(labels, scores, 0.5)["ece"]
    assert received == pytest.approx((0.33 * 2 + 0.7) / 4)
    table = calibration_table(labels, scores)
    gaps = (table["mean_score"] - table["photo_share"]).abs() * table["images"]
    assert gaps.sum() / 4 == pytest.approx(received)
    assert table["images"].tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 2, 1]


def test_float32_scores_and_boolean_labels_are_taken():
    y, s = some()
    expected = classification_metrics(y, s.astype(np.float32).astype(np.float64), 0.5)
    assert classification_metrics(y == 1, s.astype(np.float32), 0.5) == expected


# Refusals


@pytest.mark.parametrize(
    ("labels", "scores", "told"),
    [
        ([0, 1], [0.5], "one length"),
        ([[0, 1]], [[0.5, 0.5]], "one length"),
        ([0, 2], [0.5, 0.5], "0 or 1. Received: 2.0 in row 1"),
        ([0, math.nan], [0.5, 0.5], "0 or 1. Received: nan"),
        ([0, 1], [0.5, math.nan], "from 0 to 1. Received: nan in row 1"),
        ([0, 1], [-0.1, 1.5], r"Received: -0.1 in row 0 \(2 such rows\)"),
        ([0, 1], [0.5, math.inf], "from 0 to 1"),
        ([0, 1], ["a", "b"], "scores must be numbers"),
    ],
)
def test_what_is_no_label_or_score_is_refused_with_its_row(labels, scores, told):
    for act in (
        lambda: confusion(labels, scores, 0.5),
        lambda: classification_metrics(labels, scores, 0.5),
        lambda: choose_threshold(labels, scores),
        lambda: bootstrap_intervals(labels, scores, 0.5, [1, 2]),
        lambda: calibration_table(labels, scores),
    ):
        with pytest.raises(ScoreError, match=told) as caught:
            act()
        assert isinstance(caught.value, PhotoclfError)
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, math.nan])
def test_a_threshold_out_of_range_is_refused(threshold):
    with pytest.raises(ScoreError, match="threshold must be from 0 to 1"):
        confusion([1], [0.5], threshold)
