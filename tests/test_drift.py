import numpy as np
import pandas as pd
import pytest

from photoclf.drift import LEAST_GROUPS, PICTURE, measure_drift


def images(generator, n, *, dark=0.0, png=0.3):
    """Audit rows of readable images, each its own group."""
    width, height = generator.integers(100, 400, (2, n))
    picture = {measure: generator.beta(3, 2, n) for measure in PICTURE[:-1]}
    names = [f"{i}.jpg" for i in range(n)]  # the same on both sides, as in real folders
    return pd.DataFrame(
        {
            "pathname": names,
            "group": names,
            "width": width,
            "height": height,
            "bytes": (width * height * generator.uniform(0.1, 0.5, n)).astype(int),
            "format": generator.choice(["JPEG", "PNG"], n, p=[1 - png, png]),
            "mode": generator.choice(["RGB", "L"], n),
            "exif": generator.integers(0, 2, n),
            **picture,
            "dark": picture["dark"] * (1 - dark),
            "grayscale": generator.integers(0, 2, n).astype(float),
        }
    )


def test_what_does_not_differ_seldom_seems_to():
    generator, told, shifted = np.random.default_rng(0), [], []
    for seed in range(12):
        sides = images(generator, 100), images(generator, 50)
        drift = measure_drift(*sides, draws=200, seed=seed)
        told += drift.classifiers.differs.to_list()
        shifted.append(drift.shifts.differs.any())
    # 24 classifiers and 12 families of tests, each wrong 5 times in 100 at most.
    assert np.sum(told) <= 2
    assert np.sum(shifted) <= 2


def test_a_shift_is_found_named_and_put_first():
    generator = np.random.default_rng(1)
    drift = measure_drift(images(generator, 400), images(generator, 100, dark=0.6))
    told = drift.classifiers.set_index("sees")
    assert told.differs.to_dict() == {"file": False, "picture": True}
    assert told.auc["picture"] > 0.8
    first = drift.shifts.iloc[0]
    assert (first.feature, first.kind) == ("dark", "picture")
    assert first.folder < first.training
    assert drift.shifts.differs.sum() == 1
    assert drift.shifts.distance.is_monotonic_decreasing


def test_categories_shift_too():
    generator = np.random.default_rng(2)
    drift = measure_drift(images(generator, 300), images(generator, 100, png=0.95))
    first = drift.shifts.iloc[0]
    assert (first.feature, first.training, first.folder) == ("format", "JPEG", "PNG")
    assert bool(first.differs)
    assert bool(drift.classifiers.set_index("sees").differs["file"])


def test_scores_are_compared_where_there_are_any():
    generator = np.random.default_rng(3)
    sides = images(generator, 100), images(generator, 60)
    scores = pd.Series(generator.beta(1, 9, 100)), pd.Series([*generator.beta(9, 1, 60), np.nan])
    drift = measure_drift(*sides, scores)
    assert drift.shifts.iloc[0][["feature", "kind"]].to_list() == ["score", "score"]
    assert "score" not in set(measure_drift(*sides).shifts.feature)


def test_copies_are_no_evidence():
    generator = np.random.default_rng(4)
    training, few = images(generator, 200), images(generator, 12)
    copied = pd.concat([few] * 20, ignore_index=True)
    once, often = measure_drift(training, few), measure_drift(training, copied)
    columns = ["feature", "distance", "p"]
    pd.testing.assert_frame_equal(often.shifts[columns], once.shifts[columns])
    assert not often.classifiers.differs.any()


def test_the_same_seed_gives_the_same_and_large_archives_are_sampled(monkeypatch):
    monkeypatch.setattr("photoclf.drift.MOST", 60)
    generator = np.random.default_rng(5)
    sides = images(generator, 200), images(generator, 90)
    first, again = (measure_drift(*sides, draws=100, seed=7) for _ in range(2))
    pd.testing.assert_frame_equal(first.classifiers, again.classifiers)
    pd.testing.assert_frame_equal(first.shifts, again.shifts)
    assert (first.training, first.folder) == (60, 60)


@pytest.mark.parametrize(("training", "folder"), [(200, LEAST_GROUPS - 1), (3, 200), (200, 0)])
def test_too_few_images_are_said_to_be_too_few(training, folder):
    generator = np.random.default_rng(6)
    drift = measure_drift(images(generator, training), images(generator, folder))
    assert f"Received: {min(training, folder)}" in drift.problem
    assert drift.shifts.empty
    assert drift.classifiers.empty
