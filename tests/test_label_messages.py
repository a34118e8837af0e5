"""What a browser says is taken for what it should be, or for nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoclf.label_messages import as_images, as_place, as_texts

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


@pytest.mark.parametrize("value", [True, 0.0, "0", None, -1, 5, 10**30, [0]])
def test_only_a_whole_number_of_the_queue_is_a_place(value):
    assert as_place(value, 5) is None
    assert [as_place(n, 5) for n in range(5)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("key", ["x", "-1", "5", "1.0", "\u0663", "9" * 400, ""])
def test_one_wrong_place_makes_a_page_none(key):
    assert as_texts({"0": "photo", key: "photo"}, 5) == {}
    assert as_texts({"0": "photo", "4": ""}, 5) == {0: "photo", 4: ""}


def test_what_is_wrong_among_images_is_left_out():
    wrong = [1, [0], [0, []], [9, "small"], "ab", None, [True, "small"]]
    assert as_images([*wrong, [2, "small"]], 5) == [(2, "small")]


@given(ANYTHING)
def test_no_message_raises(value):
    assert as_place(value, 5) in (None, 0, 1, 2, 3, 4)
    assert set(as_texts(value, 5)) <= set(range(5))
    assert all(0 <= n < 5 and isinstance(size, str) for n, size in as_images(value, 5))
