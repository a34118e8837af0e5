import pandas as pd
import pytest

from photoclf.fingerprints import Fingerprints

IMAGES = pd.DataFrame(
    {
        "pathname": ["a.png", "b.png", "c.png", "d.png", "e.png"],
        "label": pd.array([1, 0, 1, None, 0], "Int64"),
        "sha256": ["1" * 64, "2" * 64, "1" * 64, "3" * 64, "1" * 64],
        "phash": ["0" * 16, "0" * 15 + "3", "0" * 16, "f" * 16, "0" * 16],
        "detail_hash": ["0" * 16] * 5,
        "named_group": ["", "album", "", "album", ""],
    }
)


@pytest.fixture(params=[1, 2, 5])
def images(request):
    """The images, in chunks of several sizes."""
    return Fingerprints(
        IMAGES.iloc[i : i + request.param] for i in range(0, len(IMAGES), request.param)
    )


def test_each_copy_is_linked_to_the_first_with_its_bytes(images):
    assert images.first.tolist() == [0, 1, 0, 3, 0]
    assert images.copies.tolist() == [[0, 2], [0, 4]]


def test_only_bytes_that_stand_under_both_labels_are_a_conflict(images):
    assert images.conflicts().tolist() == [True, False, True, False, True]


def test_the_first_copy_stands_for_all_among_images_that_look_alike(images):
    assert images.near().tolist() == [[0, 1]]
    assert images.near(1).tolist() == []


def test_images_of_a_named_group_are_linked_and_those_of_none_are_not(images):
    assert images.grouped().tolist() == [[1, 3]]
    assert list(images.pathnames) == IMAGES.pathname.tolist()


def test_no_images_have_nothing_in_common():
    images = Fingerprints([IMAGES.iloc[:0]])
    for links in (images.copies, images.near(), images.grouped()):
        assert links.shape == (0, 2)
    assert images.conflicts().tolist() == []
