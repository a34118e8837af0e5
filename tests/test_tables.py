import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from photoclf.errors import PhotoclfError, TableError
from photoclf.escaping import escape_pathname, unescape_pathname
from photoclf.schema import AUDIT, EVENTS, MANIFEST, PREDICTIONS, SPLIT, check_table
from photoclf.tables import read_raw, read_table, write_table

ODD_NAMES = [
    "line\nbreak.jpg",
    "carriage\rreturn.jpg",
    "both\r\n.jpg",
    'quote".jpg',
    '"',
    "semi;colon.jpg",
    "<script>alert(1)</script>.jpg",
    "=cmd|' /C calc'!A0",
    " spaces ",
    "NA",
    "nan",
    "null",
    "1",
    "007",
    "tab\t.jpg",
    "unit\x1fseparator\x1c\x85\u2028\u2029.jpg",
    "bad byte \udcff\udc80.jpg",
    "both é and \udce9",
    "unpaired \ud83d.jpg",
    "literal \\udcff.jpg",
    "literal \\u005cudc.jpg",
    "literal \\u000d",
    "\\",
    "\\\udcff",
    "C:\\Users\\uface\\Photo",
    "\ufeffbom.jpg",
    "文書.jpg",
    "é.jpg",
    "e\u0301.jpg",
    "n" * 251 + ".jpg",
]


def manifest(*names: str) -> pd.DataFrame:
    return pd.DataFrame({"pathname": list(names), "label": [i % 2 for i in range(len(names))]})


def empty_row(**values):
    return dict.fromkeys(AUDIT.columns, "") | {"label_conflict": False} | values


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_odd_name_comes_back_from_a_file_as_it_was(tmp_path, name):
    write_table(manifest(name, "plain.jpg"), tmp_path / "m.csv", MANIFEST)
    assert read_table(tmp_path / "m.csv", MANIFEST).pathname.tolist() == [name, "plain.jpg"]


def test_all_odd_names_come_back_from_one_file_in_order(tmp_path):
    write_table(manifest(*ODD_NAMES), tmp_path / "m.csv", MANIFEST)
    frame = read_table(tmp_path / "m.csv", MANIFEST)
    assert frame.pathname.tolist() == ODD_NAMES
    (tmp_path / "m.csv").read_bytes().decode("utf-8")  # strictly UTF-8


NAMES = st.text(st.characters(exclude_characters="\0", codec=None), max_size=20)


@settings(deadline=None)
@given(NAMES)
@example("\\udcff")
@example("\\u005cu005c")
@example("\\\\u000d\r")
@example("\\u000a\n")
@example("\\\ud800")
def test_escaping_a_name_loses_nothing_and_gives_utf8(name):
    escaped = escape_pathname(name)
    assert unescape_pathname(escaped) == name
    assert "\r" not in escaped
    assert "\n" not in escaped
    escaped.encode("utf-8")


@settings(deadline=None)
@given(st.lists(NAMES, max_size=6))
def test_any_names_come_back_from_a_file(tmp_path_factory, names):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    write_table(manifest(*names), path, MANIFEST)
    assert read_table(path, MANIFEST).pathname.tolist() == names


def test_an_ordinary_name_is_written_as_it_is():
    assert escape_pathname("Photo/boîte 12/a;b.jpg") == "Photo/boîte 12/a;b.jpg"
    assert escape_pathname("C:\\Users\\u\\x.jpg") == "C:\\Users\\u\\x.jpg"


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
def test_floats_come_back_to_the_last_bit(tmp_path_factory, values):
    path = tmp_path_factory.getbasetemp() / "floats.csv"
    frame = pd.DataFrame(
        {"run": "r", "tag": "t", "step": range(len(values)), "wall_time_s": 0.1, "value": values}
    )
    write_table(frame, path, EVENTS)
    assert read_table(path, EVENTS).value.tolist() == values


def test_every_dtype_comes_back_with_its_missing_values(tmp_path):
    rows = [
        empty_row(pathname="a", width=3, label=None, bytes=2**62, mtime_ns=0, dark=0.1),
        empty_row(pathname="b", width="", label=1, bytes=0, mtime_ns=-1, dark=np.nan),
        empty_row(pathname="c", width=pd.NA, label=0, bytes=1, mtime_ns=1, label_conflict=True),
    ]
    written = check_table(pd.DataFrame(rows), AUDIT)
    write_table(written, tmp_path / "a.csv", AUDIT)
    read = read_table(tmp_path / "a.csv", AUDIT)
    pd.testing.assert_frame_equal(read, written)
    assert {c: str(d) for c, d in read.dtypes.items()} == AUDIT.columns
    assert read.width.tolist() == [3, pd.NA, pd.NA]
    assert read.bytes.tolist() == [2**62, 0, 1]
    assert read.label_conflict.tolist() == [False, False, True]


@pytest.mark.parametrize("table", [MANIFEST, AUDIT, SPLIT, PREDICTIONS, EVENTS])
def test_an_empty_table_keeps_its_columns_and_dtypes(tmp_path, table):
    write_table(pd.DataFrame(columns=list(table.columns)), tmp_path / "e.csv", table)
    read = read_table(tmp_path / "e.csv", table)
    assert len(read) == 0
    assert {c: str(d) for c, d in read.dtypes.items()} == table.columns


def test_the_error_names_missing_and_unknown_columns_and_the_file(tmp_path):
    (tmp_path / "x.csv").write_text("pathname;class\na;1\n")
    with pytest.raises(TableError, match=r"x\.csv .*Missing: \['label'\]. Unknown: \['class'\]"):
        read_table(tmp_path / "x.csv", MANIFEST)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"\x00\x00\x00",
        b"pathname,label\na,1\n",
        b"pathname\tlabel\na\t1\n",
        b"pathname;label;pathname\na;1;b\n",
        b"pathname;label;\na;1;\n",
        b"pathname;label\na;1;2\n",
        b"pathname;label\na;1\nb;1;2\n",
        b"pathname;label\na\n",
        b"pathname;label\na;\n",
        b"pathname;label\na;one\n",
        b"pathname;label\na;1.5\n",
        b"pathname;label\na;1e400\n",
        b"pathname;label\na;99999999999999999999\n",
        b'pathname;label\n"never closed;1\n',
        "pathname;label\né;1\n".encode("latin-1"),
        "pathname;label\na;1\n".encode("utf-16"),
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    ],
)
def test_a_file_that_is_not_the_table_is_refused_by_name(tmp_path, content):
    (tmp_path / "bad.csv").write_bytes(content)
    with pytest.raises(TableError, match=r"bad\.csv"):
        read_table(tmp_path / "bad.csv", MANIFEST)


def test_a_table_cut_in_a_boolean_is_refused(tmp_path):
    frame = check_table(pd.DataFrame([empty_row(pathname="a", bytes=1, mtime_ns=1)]), AUDIT)
    write_table(frame, tmp_path / "a.csv", AUDIT)
    whole = (tmp_path / "a.csv").read_bytes()
    (tmp_path / "a.csv").write_bytes(whole[:-3])
    with pytest.raises(TableError, match="label_conflict"):
        read_table(tmp_path / "a.csv", AUDIT)


def test_a_missing_table_is_an_error_a_user_can_mend(tmp_path):
    with pytest.raises(PhotoclfError, match=r"must exist.*none\.csv"):
        read_table(tmp_path / "none.csv", MANIFEST)


def test_a_folder_in_place_of_a_table_is_refused(tmp_path):
    with pytest.raises(TableError):
        read_table(tmp_path, MANIFEST)


def test_what_a_spreadsheet_saves_is_read(tmp_path):
    (tmp_path / "m.csv").write_bytes('\ufeffpathname;label\r\n"a;b\nc";1\r\né;0\r\n'.encode())
    assert read_table(tmp_path / "m.csv", MANIFEST).to_dict("list") == {
        "pathname": ["a;b\nc", "é"],
        "label": [1, 0],
    }


def test_raw_values_stay_texts(tmp_path):
    (tmp_path / "g.csv").write_text("pathname;group\n1;007\nNA;\n")
    raw = read_raw(tmp_path / "g.csv", "groups file")
    assert raw.to_dict("list") == {"pathname": ["1", "NA"], "group": ["007", ""]}


def test_a_bad_table_leaves_the_file_that_was_there(tmp_path):
    write_table(manifest("a"), tmp_path / "m.csv", MANIFEST)
    with pytest.raises(TableError):
        write_table(pd.DataFrame({"pathname": ["b"]}), tmp_path / "m.csv", MANIFEST)
    assert read_table(tmp_path / "m.csv", MANIFEST).pathname.tolist() == ["a"]
