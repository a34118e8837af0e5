import numpy as np
import pandas as pd
import pytest

from photoclf.backbones import make_extractor
from photoclf.backend import keras, tf
from photoclf.checkpoints import save_model
from photoclf.config import MODEL_DEFAULTS, RunConfig
from photoclf.errors import ConfigError
from photoclf.heads import count_kinds, fit_head
from photoclf.models import AVERAGED, BUILDERS, build_model, register
from photoclf.pretrained import APPLICATIONS
from photoclf.training_views import is_frozen, set_head, training_view

TINY = {
    "compact_cnn": RunConfig(model="compact_cnn", image_size=32, filters=(4, 6, 8)),
    "reference_cnn": RunConfig(
        model="reference_cnn", image_size=32, filters=(3, 4), dense_units=(6, 5)
    ),
    "efficientnet_lite0": RunConfig(model="efficientnet_lite0", image_size=32),
    "efficientnet_lite2": RunConfig(model="efficientnet_lite2", image_size=32),
}
FROM_SCRATCH = ("compact_cnn", "reference_cnn")


def some_pixels(config, n=5):
    side = config.resolved().image_size
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def weights_of(model):
    return [v.value.numpy() for v in model.variables]


def test_the_registry_and_the_config_name_the_same_models():
    assert set(BUILDERS) == set(MODEL_DEFAULTS)
    assert set(TINY) == set(BUILDERS) - set(APPLICATIONS), "tests/test_applications.py has those"


def test_the_reference_is_trained_as_it_was_and_only_the_compact_model_is_averaged():
    assert sorted(AVERAGED) == ["compact_cnn"]


def test_a_second_model_of_one_name_is_refused():
    with pytest.raises(ValueError, match="must be new"):
        register("compact_cnn")(BUILDERS["compact_cnn"])


def test_the_reference_is_the_network_of_78705410_parameters():
    model = build_model(RunConfig(model="reference_cnn"))
    assert model.count_params() == 78_705_410
    assert model.input_shape == (None, 400, 400, 3)
    kinds = [type(layer).__name__ for layer in model.layers[1:]]
    assert kinds[:6] == [
        "Rescaling",
        "Conv2D",
        "MaxPooling2D",
        "Conv2D",
        "MaxPooling2D",
        "Flatten",
    ]
    assert kinds[6:11] == ["Dropout", "Dense", "Dropout", "Dense", "Dense"]
    head = model.get_layer("two_way")
    assert (head.units, head.activation.__name__) == (2, "softmax")
    assert [model.get_layer(f"dropout_{i}").rate for i in (1, 2)] == [0.5, 0.5]


def test_the_compact_model_stays_below_half_a_million_parameters_and_never_flattens():
    model = build_model(RunConfig(model="compact_cnn"))
    assert model.count_params() <= 500_000
    kinds = {type(layer).__name__ for layer in model.layers}
    assert {"Add", "BatchNormalization", "GlobalAveragePooling2D"} <= kinds
    assert not kinds & {"Flatten", "Lambda"}


@pytest.mark.parametrize("name", TINY)
def test_a_model_turns_uint8_pixels_of_any_batch_into_one_probability_each(name):
    model = build_model(TINY[name])
    pixels = some_pixels(TINY[name])
    scores = model.predict(pixels, verbose=0)
    assert scores.shape == (5, 1)
    assert scores.dtype == np.float32
    assert ((scores > 0) & (scores < 1)).all()
    np.testing.assert_array_equal(
        scores, model.predict(pixels.astype(np.float32), verbose=0), "uint8 and float32 differ"
    )
    assert model.optimizer is not None


@pytest.mark.parametrize("name", TINY)
def test_weights_depend_on_the_seed_alone_and_not_on_what_was_built_before(name):
    first, second = build_model(TINY[name]), build_model(TINY[name])
    other = build_model(TINY[name].replace(seed=43))
    for a, b in zip(weights_of(first), weights_of(second), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(weights_of(first), weights_of(other), strict=True))
    assert [v.path for v in first.variables if "seed" not in v.path] == [
        v.path for v in second.variables if "seed" not in v.path
    ]


@pytest.mark.parametrize("name", TINY)
def test_a_saved_model_loads_in_safe_mode_without_this_package(name, tmp_path):
    model = build_model(TINY[name])
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras", compile=False, safe_mode=True)
    pixels = some_pixels(TINY[name])
    np.testing.assert_array_equal(
        model.predict(pixels, verbose=0), loaded.predict(pixels, verbose=0)
    )


@pytest.mark.parametrize("name", FROM_SCRATCH)
def test_filters_dense_units_and_dropout_come_from_the_config(name):
    config = TINY[name].replace(filters=(5, 7), dense_units=(9,), dropout=0.25)
    model = build_model(config)
    layers = {type(la): [] for la in model.layers}
    for layer in model.layers:
        layers[type(layer)].append(layer)
    assert {la.filters for la in layers[keras.layers.Conv2D]} == {5, 7}
    assert layers[keras.layers.Dense][0].units == 9
    assert {la.rate for la in layers[keras.layers.Dropout]} == {0.25}


def test_the_reference_is_fitted_with_the_loss_of_its_two_way_softmax():
    model = build_model(TINY["reference_cnn"])
    view = training_view(model)
    pixels = some_pixels(TINY["reference_cnn"])
    both = view.predict(pixels, verbose=0)
    np.testing.assert_allclose(both.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(both[:, 1:], model.predict(pixels, verbose=0))
    assert view.loss == "sparse_categorical_crossentropy"
    assert {id(v) for v in view.variables} == {id(v) for v in model.variables}


def loss_and_gradients(model, loss, pixels, labels):
    with tf.GradientTape() as tape:
        value = loss(labels, model(tf.cast(pixels, tf.float32), training=False))
    return float(value), tape.gradient(value, [v.value for v in model.trainable_variables])


def test_the_two_way_loss_and_the_binary_one_agree_in_value_and_gradient():
    model = build_model(TINY["reference_cnn"])
    pixels, labels = some_pixels(TINY["reference_cnn"]), np.array([[0], [1], [1], [0], [1]])
    two_way = loss_and_gradients(
        training_view(model), keras.losses.SparseCategoricalCrossentropy(), pixels, labels
    )
    binary = loss_and_gradients(model, keras.losses.BinaryCrossentropy(), pixels, labels)
    assert two_way[0] == pytest.approx(binary[0], rel=1e-5)
    for a, b in zip(two_way[1], binary[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6)


def test_the_two_way_loss_still_teaches_when_the_model_is_surely_wrong():
    model = build_model(TINY["reference_cnn"])
    view = training_view(model)
    model.get_layer("two_way").bias.assign([0.0, 60.0])
    pixels, labels = some_pixels(TINY["reference_cnn"]), np.zeros((5, 1), int)

    def slope(fitted):
        fitted.fit(pixels, labels, verbose=0)
        return abs(float(np.asarray(model.get_layer("two_way").bias)[1]) - 60)

    assert slope(model) == 0, "the binary loss of a saturated softmax has no gradient"
    assert slope(view) > 1e-4


def test_a_model_that_ends_in_a_sigmoid_is_fitted_as_it_is():
    model = build_model(TINY["compact_cnn"])
    assert training_view(model) is model


def test_an_image_too_small_for_its_layers_is_told():
    with pytest.raises(ConfigError, match="Enlarge the image"):
        build_model(RunConfig(model="reference_cnn", image_size=16, filters=(2, 2, 2, 2)))


def test_batch_norm_forgets_its_start_within_an_epoch():
    model = build_model(TINY["compact_cnn"])
    norms = [la for la in model.layers if isinstance(la, keras.layers.BatchNormalization)]
    assert norms
    assert all(norm.momentum**100 < 1e-3 for norm in norms)


@pytest.mark.parametrize(
    ("features", "width", "without"),
    [
        ("pooled", 1280, 0),
        ("all", 1280 + 2 * 784, 0),
        ("stages", 2 * 784, 1280 * (320 + 4)),  # the last convolution isn't needed
    ],
)
@pytest.mark.parametrize(("kinds", "outputs"), [(2, 1), (5, 5)])
def test_a_frozen_network_s_head_is_all_that_is_trained(features, width, without, kinds, outputs):
    config = TINY["efficientnet_lite0"].replace(features=features, dropout=0.25)
    model = build_model(config, kinds)
    assert [v.path for v in model.trainable_variables] == ["kinds/kernel", "kinds/bias"]
    assert model.get_layer("dropout").rate == 0.25
    published = 4_694_024 - 1281 * 1000
    assert model.count_params() == published - without + (width + 1) * outputs


@pytest.mark.parametrize("target", ["label", "class_folder"])
def test_a_fitted_head_scores_in_the_network_as_it_does_on_its_features(target, tmp_path):
    config = TINY["efficientnet_lite0"].replace(features="all", target=target)
    pixels = np.random.default_rng(1).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    features = make_extractor(config.model, 32, threads=1).features(pixels)
    folders = ["Photo", "Text", "Sketch"] * 4
    images = pd.DataFrame({"class_folder": folders, "source": folders})
    images["label"] = (images.class_folder == "Photo").astype(int)
    head = fit_head(features, images, target=target, strength=0.1)
    model = build_model(config, count_kinds(images, target))
    set_head(model, head)
    scores = model(pixels.astype(np.float32), training=False)[:, 0]
    np.testing.assert_allclose(scores, head.scores(features), atol=1e-4)
    save_model(model, tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(again(pixels.astype(np.float32), training=False)[:, 0], scores)


def test_fine_tuning_frees_the_last_convolutions_and_no_batch_norm():
    model = build_model(TINY["efficientnet_lite0"].replace(fine_tune_from=15))
    assert [v.path for v in model.trainable_variables] == [
        "block_15_expand/kernel",
        "block_15_depthwise/kernel",
        "block_15_project/kernel",
        "top/kernel",
        "kinds/kernel",
        "kinds/bias",
    ]
    with pytest.raises(ConfigError, match="0 to 15"):
        build_model(TINY["efficientnet_lite0"].replace(fine_tune_from=16))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (RunConfig(model="efficientnet_lite0", filters=(8,)), "`filters` must be left open"),
        (RunConfig(model="efficientnet_lite0", image_size=31), "at least 32 px"),
        (RunConfig(model="efficientnet_lite0", dense_units=(8,)), "`dense_units` must be left"),
        (RunConfig(model="efficientnet_lite0", augmentation="light"), "none while"),
        (RunConfig(fine_tune_from=3), "`fine_tune_from` must be left open for compact_cnn"),
        (RunConfig(pieces=2), "`pieces` must be left open for compact_cnn"),
    ],
)
def test_a_choice_that_is_another_model_s_is_told(config, message):
    with pytest.raises(ConfigError, match=message):
        build_model(config)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, True), ({"fine_tune_from": 15}, False), ({"model": "compact_cnn"}, False)],
)
def test_a_network_is_frozen_when_it_is_pretrained_and_nothing_of_it_is_fine_tuned(
    changes, expected
):
    config = RunConfig(model="efficientnet_lite0").replace(**changes)
    assert is_frozen(config) is expected
