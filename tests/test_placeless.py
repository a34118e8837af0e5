"""What is told to others names no folder of a machine."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoclf.placeless import forget_folders, forget_paths

NAMES = st.text(st.characters(categories=["L", "N"], include_characters="-_."), min_size=1).filter(
    lambda name: name.strip(".") != ""
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/home/anna/fonds/Photo/1.png", "…/1.png"),
        ("(/srv/clients/durand/a.jpg)", "(…/a.jpg)"),
        ("archive = '/home/Anna Noir/fonds'", "archive = '…/fonds'"),
        ('"/data/boîte 3/"', '"…/boîte 3"'),
        (r"C:\Users\anna\a.png failed", "…/a.png failed"),
        (r"'C:\\Users\\Anna Noir\\a.png'", "'…/a.png'"),
        ("D:/scans/box/b.tif", "…/b.tif"),
        (r"\\nas\archives\durand\c.jpg", "…/c.jpg"),
        ("file:///home/anna/x.html", "…/x.html"),
        ("/tmp/ipykernel_77/33.py:3: UserWarning: no", "…/33.py:3: UserWarning: no"),
        ("a /x/y, b=/u/v;", "a …/y, b=…/v;"),
    ],
)
def test_of_an_absolute_path_the_last_name_stays(text, told):
    assert forget_paths(text) == told


@pytest.mark.parametrize(
    "text",
    [
        "Photo/box_1/003.png", "../data/split.csv", "~/fonds/x.png", "site-packages/a/b.py",
        "https://example.org/a/b.html", "s3://bucket/a/b", "<b>a</b> </td></tr>", "3/4 km/h",
        "and/or, 26/11/2026", "a / b / c", "\\alpha\\beta", "x: y", "…/1.png", "1 // 2 // 3",
    ],
)  # fmt: skip
def test_what_is_no_absolute_path_stays(text):
    assert forget_paths(text) == text


@given(st.lists(NAMES, min_size=1, max_size=5), NAMES, st.sampled_from(["", "'", '"']))
def test_no_folder_of_any_path_is_left(folders, name, quote):
    told = forget_paths(f"see {quote}/{'/'.join(folders)}/{name}{quote} there")
    assert told == f"see {quote}…/{name}{quote} there"


@given(st.text())
def test_forgetting_twice_is_forgetting_once(text):
    once = forget_paths(text)
    assert forget_paths(once) == once


def test_a_notebook_s_folders_get_names_and_its_pictures_stay(tmp_path):
    picture = f"iVBOR{Path.home()}/abc"
    cell = {"text": [f"in {tmp_path}/x.csv, {Path.home()}/y"], "data": {"image/png": picture}}
    told = forget_folders({"cells": [cell], "n": 3}, tmp_path)
    assert told["cells"][0]["text"] == ["in ./x.csv, ~/y"]
    assert told["cells"][0]["data"]["image/png"] == picture
    assert str(tmp_path) not in json.dumps(told)
