import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoclf.names import Names

# Lone surrogates stand for bytes of file names that aren't UTF-8.
TEXTS = st.lists(st.text(st.characters(exclude_categories=()), max_size=12), max_size=12)


@given(TEXTS, TEXTS)
def test_names_are_the_texts_that_were_put_in_whatever_their_letters(texts, more):
    names = Names(texts)
    names.extend(more)
    assert list(names) == texts + more
    assert len(names) == len(texts + more)
    assert (names == Names(texts)) == (texts + more == texts)


def test_a_place_that_names_do_not_have_is_refused():
    names = Names(["a", "é"])
    assert names[-1] == "é"
    for place in (2, -3):
        with pytest.raises(IndexError):
            names[place]
