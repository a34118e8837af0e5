import numpy as np
import pandas as pd
import pytest

from photoclf.backend import tf
from photoclf.cache import PixelCache
from photoclf.datasets import augment_light, epoch_order, make_dataset, steps_per_epoch
from photoclf.errors import ConfigError

N = 11


def a_cache(n=N, side=8):
    """Image i is filled with i, so that a batch tells its rows."""
    pixels = (
        np.zeros((n, side, side, 3), np.uint8) + np.arange(n, dtype=np.uint8)[:, None, None, None]
    )
    return PixelCache(pixels, tuple(f"{i}.png" for i in range(n)), side, "squash")


def a_table(rows=range(N)):
    return pd.DataFrame({"pathname": [f"{i}.png" for i in rows], "label": [i % 2 for i in rows]})


def rows_of(batches):
    return [pixels[:, 0, 0, 0].astype(int).tolist() for pixels, _ in batches]


def epochs(count, **options):
    steps = steps_per_epoch(N, 4)
    data = make_dataset(a_cache(), a_table(), batch_size=4, training=True, **options)
    batches = list(data.take(count * steps).as_numpy_iterator())
    return [batches[i * steps : (i + 1) * steps] for i in range(count)]


def test_evaluation_keeps_the_tables_order_and_drops_no_row():
    order = [7, 3, 10, 0, 1, 9]
    data = make_dataset(a_cache(), a_table(order), batch_size=4, training=False)
    batches = list(data.as_numpy_iterator())
    assert rows_of(batches) == [[7, 3, 10, 0], [1, 9]]
    assert np.concatenate([labels for _, labels in batches]).ravel().tolist() == [1, 1, 0, 0, 1, 1]
    assert batches[0][0].dtype == np.uint8
    assert batches[0][1].dtype == np.int64
    assert data.cardinality() == 2
    assert rows_of(data.as_numpy_iterator()) == rows_of(batches), "it can be read again"


def test_each_training_epoch_sees_every_row_once_in_an_order_of_its_own():
    three = [rows_of(epoch) for epoch in epochs(3, seed=42)]
    for epoch in three:
        assert [len(batch) for batch in epoch] == [4, 4, 3]
        assert sorted(row for batch in epoch for row in batch) == list(range(N))
    assert three[0] != three[1] != three[2]


def test_labels_stay_with_their_pixels():
    for pixels, labels in epochs(1, seed=42)[0]:
        np.testing.assert_array_equal(pixels[:, 0, 0, 0] % 2, labels[:, 0])


@pytest.mark.parametrize("augmentation", ["none", "light"])
def test_a_resumed_training_sees_what_the_uninterrupted_one_saw(augmentation):
    whole = epochs(3, seed=42, augmentation=augmentation)[2]
    resumed = epochs(1, seed=42, augmentation=augmentation, first_epoch=2)[0]
    for (a, la), (b, lb) in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(la, lb)


def test_another_seed_gives_another_order():
    assert rows_of(epochs(1, seed=1)[0]) != rows_of(epochs(1, seed=2)[0])
    assert epoch_order(N, 1, 0).tolist() != epoch_order(N, 1, 1).tolist()


def test_an_order_can_be_no_other_than_the_one_it_is():
    assert epoch_order(6, seed=42, epoch=0).tolist() == [4, 2, 0, 1, 3, 5]
    with pytest.raises(ValueError, match="read-only"):
        epoch_order(6, seed=42, epoch=0)[0] = 1


def test_pixels_leave_as_uint8_unless_augmented():
    assert epochs(1)[0][0][0].dtype == np.uint8
    augmented = epochs(1, augmentation="light")[0][0][0]
    assert augmented.dtype == np.float32
    assert augmented.min() >= 0
    assert augmented.max() <= 255


def test_evaluation_is_never_augmented():
    data = make_dataset(a_cache(), a_table(), batch_size=4, training=False, augmentation="light")
    assert rows_of(data.as_numpy_iterator())[0] == [0, 1, 2, 3]


def test_augmentation_changes_each_image_its_own_way_a_little():
    rng = np.random.default_rng(0)
    smooth = np.kron(rng.integers(60, 190, (1, 4, 4, 3)), np.ones((1, 8, 8, 1))).astype(np.uint8)
    same = np.repeat(smooth, 64, axis=0)
    changed = augment_light(same, tf.constant([1, 2], tf.int64)).numpy()
    again = augment_light(same, tf.constant([1, 2], tf.int64)).numpy()
    other = augment_light(same, tf.constant([1, 3], tf.int64)).numpy()
    np.testing.assert_array_equal(changed, again)
    assert (changed != other).any()
    assert len({image.tobytes() for image in changed}) == 64
    straight = np.abs(changed - same).mean(axis=(1, 2, 3))
    mirrored = np.abs(changed - same[:, :, ::-1]).mean(axis=(1, 2, 3))
    assert 15 < (mirrored < straight).sum() < 49, "about half are mirrored"
    assert np.minimum(straight, mirrored).max() < 60
    assert abs(changed.mean() - same.mean()) < 10


def test_a_batch_of_the_table_may_be_larger_than_the_table():
    data = make_dataset(a_cache(), a_table([2]), batch_size=64, training=True)
    assert rows_of(data.take(2).as_numpy_iterator()) == [[2], [2]]


def test_an_empty_table_is_told():
    with pytest.raises(ConfigError, match="at least one row"):
        make_dataset(a_cache(), a_table([]), batch_size=4, training=False)


def test_an_unknown_augmentation_is_told():
    with pytest.raises(ConfigError, match="Did you mean 'light'"):
        make_dataset(a_cache(), a_table(), batch_size=4, training=True, augmentation="ligt")
