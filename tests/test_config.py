import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoclf.config import AUGMENTATIONS, FITS, MODEL_DEFAULTS, RunConfig
from photoclf.errors import ConfigError

CONFIGS = st.builds(
    RunConfig,
    model=st.sampled_from(sorted(MODEL_DEFAULTS)),
    image_size=st.none() | st.integers(16, 1024),
    fit=st.sampled_from(FITS),
    batch_size=st.integers(1, 4096),
    epochs=st.integers(1, 1000),
    patience=st.integers(0, 1000),
    learning_rate=st.floats(1e-7, 1.0),
    filters=st.none() | st.lists(st.integers(1, 4096), min_size=1, max_size=8),
    dense_units=st.none() | st.lists(st.integers(1, 8192), max_size=8).map(tuple),
    dropout=st.none() | st.floats(0.0, 0.95),
    augmentation=st.sampled_from(AUGMENTATIONS),
    fine_tune_from=st.none() | st.integers(0, 99),
    seed=st.integers(0, 2**31),
    threads=st.none() | st.integers(1, 1024),
    gpu_memory_limit_mib=st.none() | st.integers(64, 10**6),
)


@settings(deadline=None)
@given(CONFIGS)
def test_a_config_comes_back_from_json_equal_and_with_its_hash(config):
    again = RunConfig.from_json(config.to_json())
    assert again == config
    assert again.hash8 == config.hash8
    assert again.to_json() == config.to_json()


@settings(deadline=None)
@given(CONFIGS)
def test_resolving_leaves_no_default_of_the_model_open_and_keeps_the_hash(config):
    resolved = config.resolved()
    assert all(getattr(resolved, name) is not None for name in MODEL_DEFAULTS[config.model])
    assert resolved.resolved() == resolved
    assert resolved.hash8 == config.hash8


@settings(deadline=None)
@given(CONFIGS, CONFIGS)
def test_hashes_are_equal_exactly_when_the_resolved_choices_are(one, other):
    assert (one.hash8 == other.hash8) == (one.resolved() == other.resolved())


def test_the_hash_of_a_config_is_pinned():
    # Run folders carry it. It may change when a choice is added or renamed, and earlier runs are
    # then no longer found by their config; every choice is given, so that defaults may be tuned.
    config = RunConfig(
        model="compact_cnn",
        image_size=64,
        fit="crop",
        batch_size=16,
        epochs=3,
        patience=1,
        learning_rate=2e-3,
        filters=(8, 16),
        dense_units=(),
        dropout=0.25,
        augmentation="light",
        seed=7,
        threads=2,
        gpu_memory_limit_mib=None,
    )
    assert config.hash8 == "4aba71f7"


def test_the_hash_is_the_same_in_another_process():
    code = "from photoclf.config import RunConfig; print(RunConfig(seed=7, filters=[8, 9]).hash8)"
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=dict(os.environ)
            | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert hashes == {RunConfig(seed=7, filters=(8, 9)).hash8}


def test_a_whole_number_for_a_fraction_has_the_fraction_s_hash():
    assert RunConfig(learning_rate=1).hash8 == RunConfig(learning_rate=1.0).hash8
    assert RunConfig(dropout=-0.0).hash8 == RunConfig(dropout=0).hash8


def test_what_the_model_would_choose_is_the_same_choice():
    explicit = RunConfig(**MODEL_DEFAULTS["compact_cnn"])
    assert explicit.hash8 == RunConfig().hash8


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", "10"),
        ("epochs", 10.0),
        ("epochs", True),
        ("epochs", None),
        ("epochs", 0),
        ("epochs", 1001),
        ("epochs", [10]),
        ("image_size", 15),
        ("image_size", 128.5),
        ("learning_rate", "0.001"),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("learning_rate", 0),
        ("learning_rate", -1e-3),
        ("learning_rate", True),
        ("dropout", 1.0),
        ("seed", -1),
        ("seed", 1j),
        ("filters", []),
        ("filters", 32),
        ("filters", "32"),
        ("filters", [32, "64"]),
        ("filters", [32, None]),
        ("filters", [32] * 9),
        ("filters", {32: 64}),
        ("dense_units", [0]),
        ("model", None),
        ("model", ["compact_cnn"]),
        ("fit", 1),
        ("augmentation", True),
        ("threads", 0),
    ],
)
def test_a_wrong_type_or_range_is_refused_by_name_and_value(name, value):
    with pytest.raises(ConfigError) as caught:
        RunConfig(**{name: value})
    assert f"`{name}`" in str(caught.value)
    assert "Received: " in str(caught.value)


@pytest.mark.parametrize(
    ("values", "suggestion"),
    [
        ({"epoch": 3}, "'epochs'"),
        ({"learningrate": 0.1}, "'learning_rate'"),
        ({"model": "compact_cn"}, "'compact_cnn'"),
        ({"fit": "letterboxed"}, "'letterbox'"),
    ],
)
def test_a_mistyped_name_is_refused_with_the_near_one(values, suggestion):
    with pytest.raises(ConfigError, match=f"Did you mean {suggestion}"):
        RunConfig.from_mapping(values)
    with pytest.raises(ConfigError, match=f"Did you mean {suggestion}"):
        RunConfig().replace(**values)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"text"', '{"epochs": NaN}', '{"x": 1}'])
def test_a_broken_config_file_is_an_error_a_user_can_mend(text):
    with pytest.raises(ConfigError):
        RunConfig.from_json(text)


def test_a_config_can_not_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        RunConfig().epochs = 3


def test_a_list_is_kept_as_a_tuple_so_that_it_can_not_change_either():
    given_list = [8, 16]
    config = RunConfig(filters=given_list)
    given_list.append(32)
    assert config.filters == (8, 16)
    assert hash(config) == hash(RunConfig(filters=(8, 16)))


def test_the_mapping_holds_only_what_json_and_papermill_take():
    mapping = RunConfig(filters=(8,), learning_rate=np.float64(0.01)).to_mapping()
    assert json.loads(json.dumps(mapping)) == mapping
    assert type(mapping["learning_rate"]) is float
    assert RunConfig.from_mapping(mapping).filters == (8,)


def test_every_field_says_what_it_is():
    for field in dataclasses.fields(RunConfig):
        assert field.metadata["help"]
        assert {"choices", "low"} & set(field.metadata)
