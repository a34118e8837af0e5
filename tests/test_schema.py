import numpy as np
import pandas as pd
import pytest

from photoclf.errors import TableError
from photoclf.schema import MANIFEST, check_table


def test_columns_are_put_in_order_and_the_index_is_forgotten():
    frame = pd.DataFrame({"label": ["1", "0"], "pathname": ["a", "b"]}, index=[7, 7])
    checked = check_table(frame, MANIFEST)
    assert list(checked.columns) == ["pathname", "label"]
    assert checked.index.tolist() == [0, 1]
    assert list(frame.columns) == ["label", "pathname"]  # the given frame is left as it was


def test_a_mistyped_column_is_refused_with_the_near_name():
    frame = pd.DataFrame({"pathnam": ["a"], "label": [1]})
    with pytest.raises(TableError, match=r"Unknown: \['pathnam'\]. Did you mean 'pathname'"):
        check_table(frame, MANIFEST)


@pytest.mark.parametrize("value", [None, "", np.nan, 1.5, "x", pd.NA])
def test_a_whole_number_column_refuses_anything_else(value):
    with pytest.raises(TableError, match="int64 values in the column `label`"):
        check_table(pd.DataFrame({"pathname": ["a"], "label": [value]}, dtype=object), MANIFEST)


@pytest.mark.parametrize("value", [None, np.nan, pd.NA, pd.NaT])
def test_a_missing_text_is_an_empty_text(value):
    frame = pd.DataFrame({"pathname": [value, "a"], "label": 1}, dtype=object)
    assert check_table(frame, MANIFEST).pathname.tolist() == ["", "a"]
