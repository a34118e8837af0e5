import itertools
import sys

import numpy as np
import pandas as pd
import pytest

from photoclf.effects import parameter_effects, parameter_importances

VARIED = ["filters", "batch_size", "dropout"]


def grid(rng, effect=0.1, noise=0.02):
    rows = itertools.product(["8,16", "16,32", "16,32,64"], [16, 32], [0.0, 0.2, 0.5])
    points = pd.DataFrame(list(rows), columns=VARIED)
    better = points["filters"] == "16,32,64"
    return points.assign(mean=0.5 - effect * better + rng.normal(0, noise, len(points)))


def test_the_parameter_that_matters_is_found_with_its_direction():
    effects = parameter_effects(grid(np.random.default_rng(0)), VARIED)
    first = effects.iloc[0]
    assert (first["parameter"], first["best"]) == ("filters", "16,32,64")
    assert first["importance"] > 0.8
    assert first["p_holm"] < 0.01
    assert first["best_mean"] < first["worst_mean"]
    assert (effects["p_holm"][1:] > 0.05).all()
    assert effects["importance"].sum() == pytest.approx(1)


def test_of_an_accuracy_more_is_better():
    points = grid(np.random.default_rng(0), effect=-0.1)
    first = parameter_effects(points, VARIED, less_is_better=False).iloc[0]
    assert first["best"] == "16,32,64"
    assert first["best_mean"] > first["worst_mean"]


def test_chance_alone_is_called_an_effect_once_in_twenty(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)  # the importances aren't asked for
    rng = np.random.default_rng(1)
    effects = [parameter_effects(grid(rng, effect=0.3), VARIED, seed=i) for i in range(150)]
    idle = pd.concat(effects).query("parameter != 'filters'")
    assert 0.01 < (idle["p"] < 0.05).mean() < 0.09


def test_a_number_that_is_best_in_the_middle_is_seen_to_matter():
    rng = np.random.default_rng(4)
    rates = 10 ** rng.uniform(-4, -1, 24)
    points = pd.DataFrame({"learning_rate": rates, "dropout": rng.uniform(0, 0.6, 24)})
    points["mean"] = 0.2 * np.abs(np.log10(rates) + 2.5) + rng.normal(0, 0.01, 24)
    first = parameter_effects(points, ["learning_rate", "dropout"]).iloc[0]
    assert first["parameter"] == "learning_rate"
    assert " – " in first["best"]
    assert first["p_holm"] < 0.01


def test_few_numbers_with_many_values_are_judged_by_halves():
    rng = np.random.default_rng(2)
    rates = 10 ** rng.uniform(-4, -2, 8)
    points = pd.DataFrame({"learning_rate": rates, "batch_size": rng.integers(8, 65, 8)})
    points["mean"] = -0.1 * np.log10(rates) + rng.normal(0, 0.01, 8)
    first = parameter_effects(points, ["learning_rate", "batch_size"]).iloc[0]
    assert first["parameter"] == "learning_rate"
    assert first["best"].startswith("> ")
    assert first["worst"].startswith("≤ ")


def test_few_points_say_nothing_instead_of_something():
    points = grid(np.random.default_rng(0)).head(3)
    effects = parameter_effects(points, ["batch_size", "dropout"])
    assert effects[["importance", "p", "p_holm"]].isna().all(axis=None)
    assert parameter_effects(points, []).empty


def test_without_optuna_importance_is_left_out_and_effects_stay(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    points = grid(np.random.default_rng(0))
    assert parameter_importances(points, VARIED) == {}
    assert parameter_effects(points, VARIED)["p"].notna().all()


def test_the_same_points_give_the_same_effects():
    points = grid(np.random.default_rng(3))
    pd.testing.assert_frame_equal(
        parameter_effects(points, VARIED), parameter_effects(points, VARIED)
    )
