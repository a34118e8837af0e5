import re
import shlex
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from photoclf.bench import PARTS
from photoclf.bench_page import as_markdown
from photoclf.cli import main

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
SECTIONS = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
FIGURE = re.compile(r"\d ?(%|ms\b|MB\b|GFLOP|images/s|times\b)|^\|", re.MULTILINE)
COMMAND = re.compile(r"`(photoclf bench[^`]*)`")


@pytest.mark.parametrize("section", SECTIONS, ids=lambda text: text.splitlines()[0])
def test_every_figure_on_the_page_has_its_date_and_its_command(section):
    if not FIGURE.search(section):
        return
    dates = re.findall(r"\b\d{4}-\d{2}-\d{2}", section)
    assert dates, "a figure without a date"
    assert all(date.fromisoformat(one) for one in dates)
    commands = COMMAND.findall(section)
    assert commands, "a figure without a command"
    for command in commands:
        with main.commands["bench"].make_context("bench", shlex.split(command)[2:]) as context:
            assert set(context.params["only"].split(",")) <= set(PARTS)


def test_each_table_stands_below_its_command_and_load():
    tabled = [section for section in SECTIONS if "\n| " in section]
    assert tabled
    for section in tabled:
        before = section[: section.index("\n| ")]
        assert COMMAND.search(before)
        assert re.search(r"load [\d.]+ before, [\d.]+ after", before)


def test_the_page_names_no_place_and_is_found_from_the_readme():
    assert not re.search(r"/(home|tmp|work|root|Users)\b", PAGE)
    assert "(docs/benchmarks.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_run_becomes_a_section_with_a_table_a_part():
    row = {"low": 90.0, "high": 120.0, "images_per_s": 100.0, "ratio": 1.0, "seconds": 2.0}
    rows = [
        row | {"part": "predict_small", "contender": "Keras | predict", "cpu_ms": 12.3456},
        row | {"part": "predict_small", "contender": "ours", "cpu_ms": np.nan, "of_limit": 0.5},
        row | {"part": "cold_start", "contender": "ours"},
    ]
    machine = {
        "at": "2026-01-02T03:04:05+00:00",
        "load": 0.25,
        "cpu": {"model": "A processor", "machine": "x86_64", "features": ["avx"], "count": 2},
        "versions": {"python": "3.11.7"},
    }
    command = "photoclf bench --only predict"
    text = as_markdown(pd.DataFrame(rows), machine, machine | {"load": None}, command)
    assert text.startswith("## 2026-01-02\n")
    assert f"`{command}`" in text
    assert "load 0.2 before, unknown after, on 2 cores" in text
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 2
    assert {line.replace("\\|", "").count("|") for line in tables[0]} == {6}
    assert "| Keras \\| predict | 100.0 (90.0–120.0) | 1.00 |  | 12.35 |" in tables[0]
    assert "| ours | 100.0 (90.0–120.0) | 1.00 | 50% |  |" in tables[0]
    assert tables[1][0] == "|  | images/s (range) | × the first | s |"
