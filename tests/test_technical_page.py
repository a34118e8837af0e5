"""An executed notebook as a page for colleagues, whoever ran it and whatever it holds."""

import getpass
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from photoclf.cli import main
from photoclf.errors import ConfigError
from photoclf.notebook import NotebookError
from photoclf.pdf import BrowserError, find_browser
from photoclf.technical_page import render_notebook
from tests.hostile_html import HOSTILE, PIXEL, Seen, assert_harmless

DOT = PIXEL.partition(",")[2]


def code(source, *outputs, tags=(), number=1):
    metadata = {"tags": list(tags)}
    return new_code_cell(source, outputs=list(outputs), metadata=metadata, execution_count=number)


def stream(text, name="stdout"):
    return new_output("stream", text=text, name=name)


def shown(**data):
    data = {kind.replace("__", "/").replace("_xml", "+xml"): text for kind, text in data.items()}
    return new_output("display_data", data=data)


@pytest.fixture
def page_of(tmp_path):
    def render(*cells, **metadata):
        notebook = new_notebook(cells=list(cells), metadata=metadata)
        path = tmp_path / "study.ipynb"
        nbformat.write(notebook, path)
        html = render_notebook(path).read_text(encoding="utf-8")
        assert_harmless_page(html)
        page = Seen(html)
        page.html = html
        return page

    return render


def assert_harmless_page(html):
    """No part of the page but its own head may be anything that runs or fetches."""
    head, _, body = html.partition("<main>")
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in head
    body = re.sub(
        r'href="#error"| id="error"', "", body.removesuffix("</main>\n</body>\n</html>\n")
    )
    assert_harmless(body)


PARAMETERS = (
    new_markdown_cell("# 3 · Train a run\n\nHow **well**?"),
    code("epochs = 10  # at most", tags=["parameters"]),
    code("# Parameters\nepochs = 2", tags=["injected-parameters"]),
    code("a = 1\nb = 2", stream("done\n"), number=3),
)


def test_prose_parameters_code_and_results_stand_in_their_order(page_of):
    page = page_of(*PARAMETERS)
    assert page.all("html") == [{"lang": "en"}]
    assert "<title>3 · Train a run</title>" in page.html
    order = [
        "3 · Train a run",
        "How well?",
        "Parameters and their defaults",
        "epochs = 10",
        "Parameters of this execution",
        "epochs = 2",
        "Code 3, 2 lines",
        "a = 1",
        "done",
    ]
    places = [page.text.rindex(word) for word in order]
    assert places == sorted(places)  # fmt: skip


def test_code_is_folded_and_parameters_are_not(page_of):
    page = page_of(*PARAMETERS)
    assert ["open" in found for found in page.all("details")] == [True, True, False]


def test_it_is_said_when_papermill_ran_it_and_how_long_it_took(page_of):
    notes = {"end_time": "2026-11-26T12:48:13+00:00", "duration": 9.49, "output_path": "/home/x/y"}
    page = page_of(*PARAMETERS, papermill=notes)
    assert "study.ipynb" in page.text
    assert "executed on 26 November 2026" in page.text
    assert "in 9 s" in page.text


def test_a_notebook_without_a_heading_is_named_after_its_file(page_of):
    page = page_of(code("1", stream("x")))
    assert [tag for tag, _ in page.tags].count("h1") == 1
    assert "<h1>study</h1>" in page.html


def test_headings_of_prose_and_of_outputs_leave_no_gap_together(page_of):
    cells = [new_markdown_cell("### A"), code("x", shown(text__html="<h1>B</h1><h5>C</h5>"))]
    page = page_of(*cells, new_markdown_cell("# D"))
    assert [tag for tag, _ in page.tags if tag in ("h1", "h2", "h3")] == ["h1", "h2", "h3", "h2"]


def test_a_notebook_that_was_not_executed_says_so(page_of):
    assert "holds no outputs" in page_of(new_markdown_cell("# T"), code("1", number=None)).text
    assert "holds no outputs" not in page_of(*PARAMETERS).text


def test_an_error_is_told_at_the_top_and_shown_where_it_happened_without_colours(page_of):
    error = new_output(
        "error",
        ename="ValueError",
        evalue="no <b>",
        traceback=["\x1b[0;31mValueError\x1b[0m", "\x1b[38;5;28m  File x\x1b[39m: no <b>"],
    )
    note = new_markdown_cell(
        "An exception at In [4]", metadata={"tags": ["papermill-error-cell-tag"]}
    )
    page = page_of(note, new_markdown_cell("# T"), code("fail()", error), code("later"))
    assert page.text.count("ValueError: no <b>") == 2
    assert page.text.index("stopped at an error") < page.text.index("fail()")
    assert {"href": "#error"} in page.all("a")
    assert [found for _, found in page.tags if found.get("id") == "error"] != []
    assert "\x1b" not in page.html
    assert "38;5" not in page.html
    assert "An exception at" not in page.text


def test_a_progress_bar_is_shown_as_it_ended(page_of):
    parts = [stream("\r  0%|  |", "stderr"), stream("\r 50%|# |", "stderr")]
    page = page_of(code("x", *parts, stream("\r100%|##|\nend\r\n", "stderr")))
    assert "100%|##| end" in page.text
    assert "50%" not in page.text


@pytest.mark.parametrize("kind", ["image__png", "image__jpeg", "image__gif"])
def test_a_picture_is_described_by_what_it_stands_under(page_of, kind):
    cells = [new_markdown_cell("# T\n## The curves"), code("x", shown(**{kind: DOT}))]
    page = page_of(*cells, code("y", shown(**{kind: DOT})))
    alts = [found["alt"] for found in page.all("img")]
    assert alts == ["Figure 1: The curves", "Figure 2: The curves"]


def test_a_picture_s_own_description_and_size_are_kept(page_of):
    told = {"image/png": {"alt": "Loss falls", "width": 40, "height": 30}}
    output = new_output("display_data", data={"image/png": DOT}, metadata=told)
    [image] = page_of(code("x", output)).all("img")
    assert (image["alt"], image["width"], image["height"]) == ("Loss falls", "40", "30")


def test_a_drawing_is_a_picture_in_which_no_script_runs(page_of):
    page = page_of(code("x", shown(image__svg_xml="<svg onload='steal()'><script/></svg>")))
    [image] = page.all("img")
    assert image["src"].startswith("data:image/svg+xml;base64,")
    assert "onload" not in page.html


def test_a_picture_pasted_into_prose_is_kept(page_of):
    cell = new_markdown_cell("![A map](attachment:map.gif)")
    cell["attachments"] = {"map.gif": {"image/gif": DOT}}
    [image] = page_of(cell).all("img")
    assert image == {"src": PIXEL, "alt": "A map"}


def test_of_several_forms_the_richest_that_needs_no_script_is_shown(page_of):
    rich = shown(text__html="<b>rich</b>", text__plain="poor")
    scripted = shown(text__html="<div id=x></div><script>draw()</script>", text__plain="Figure(…)")
    page = page_of(code("x", rich), code("y", scripted), code("z", shown(text__markdown="*prose*")))
    assert "rich" in page.text
    assert "poor" not in page.text
    assert "Figure(…)" in page.text
    assert "<em>prose</em>" in page.html


def test_an_output_that_only_a_script_could_show_is_not_passed_over(page_of):
    page = page_of(code("x", new_output("display_data", data={"application/x-plot": "1"})))
    assert "can’t be shown without scripts: application/x-plot" in page.text


@pytest.mark.parametrize("html", HOSTILE)
def test_nothing_hostile_in_prose_or_outputs_runs(page_of, html):
    page_of(
        new_markdown_cell(f"# T {html}\n\n{html}\n\n[a](javascript:steal())"),
        code(html, stream(html), shown(text__html=html), shown(text__markdown=html)),
        code("x", new_output("error", ename=html, evalue=html, traceback=[html])),
        code("y", shown(text__plain=html), shown(text__latex=html), shown(image__png=html)),
    )


def test_nothing_of_the_machine_is_told_in_a_notebook_that_somebody_ran_himself(page_of, tmp_path):
    home, temporary = Path.home(), tempfile.gettempdir()
    told = [
        f"{tmp_path}/data/x.csv",
        f"{home}/a.png",
        f"{temporary}/ipykernel_7/3.py:1",
        "/home/anna/b",
    ]
    text = "\n".join(told)
    error = new_output("error", ename="E", evalue=told[3], traceback=[text])
    table = shown(text__html=f"<table><caption>{told[3]}</caption><tr><td>{told[0]}</td></table>")
    page = page_of(
        new_markdown_cell(f"# T {told[3]}\n\n{text}"),
        code(
            f"workspace = '{told[3]}/my workspace/x'\n# {text}", stream(text), tags=["parameters"]
        ),
        code("x", table, error, shown(text__plain=text)),
        papermill={"input_path": told[0], "output_path": told[1], "end_time": "2026-01-01"},
    )
    for word in (str(tmp_path), f"{home}/", temporary, "anna", "my workspace"):
        assert word not in page.html
    if len(getpass.getuser()) > 4:
        assert getpass.getuser() not in page.html
    assert "./data/x.csv" in page.text


def test_the_same_notebook_gives_the_same_bytes_and_is_left_as_it_was(page_of, tmp_path):
    first = page_of(*PARAMETERS).html
    before = (tmp_path / "study.ipynb").read_bytes()
    out = render_notebook(tmp_path / "study.ipynb", tmp_path / "new" / "other.html")
    assert out.read_text(encoding="utf-8") == first
    assert (tmp_path / "study.ipynb").read_bytes() == before


def test_a_real_figure_and_frame_as_a_kernel_leaves_them(page_of, tmp_path):
    figure, ax = plt.subplots(figsize=(2, 1))
    ax.plot(np.arange(3))
    figure.savefig(tmp_path / "f.svg")
    plt.close(figure)
    page = page_of(code("x", shown(image__svg_xml=(tmp_path / "f.svg").read_text())))
    assert len(page.all("img")) == 1


@pytest.mark.parametrize(
    "content",
    ["", "no json", "[]", "{}", "3", "null", '{"cells": 3, "nbformat": 4}', '{"nbformat": 9}',
     '{"cells": [{"cell_type": "code"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
     "<html></html>", "pathname;label"],
)  # fmt: skip
def test_a_file_that_is_no_notebook_is_refused(tmp_path, content):
    path = tmp_path / "x.ipynb"
    path.write_text(content)
    with pytest.raises(NotebookError, match="rendered from a Jupyter notebook"):
        render_notebook(path)
    assert not path.with_suffix(".html").exists()


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "x.ipynb").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(NotebookError, match="which is none"):
        render_notebook(tmp_path / "x.ipynb")


def test_a_notebook_of_the_older_format_is_read(tmp_path):
    cells = [{"cell_type": "heading", "level": 1, "source": ["Old"], "metadata": {}}]
    old = {"worksheets": [{"cells": cells}], "metadata": {"name": ""}, "nbformat": 3}
    (tmp_path / "old.ipynb").write_text(json.dumps(old | {"nbformat_minor": 0}))
    assert "<h1>Old</h1>" in render_notebook(tmp_path / "old.ipynb").read_text(encoding="utf-8")


def test_a_page_is_written_to_a_page_s_file_alone(tmp_path, page_of):
    page_of(*PARAMETERS)
    with pytest.raises(ConfigError, match=r"must end in .html"):
        render_notebook(tmp_path / "study.ipynb", tmp_path / "study.ipynb")


def test_the_command_prints_where_the_page_is_and_how_large(tmp_path, page_of):
    page_of(*PARAMETERS)
    out = tmp_path / "x.html"
    result = CliRunner().invoke(main, ["render", str(tmp_path / "study.ipynb"), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == f"{out} (0.0 MB)"
    (tmp_path / "no.ipynb").write_text("{}")
    result = CliRunner().invoke(main, ["render", str(tmp_path / "no.ipynb")])
    assert result.exit_code == 1
    assert "Name an executed notebook" in result.output


def test_a_real_browser_without_the_page_s_policy_runs_nothing_either(page_of, tmp_path):
    try:
        browser = find_browser()
    except BrowserError:
        pytest.skip("no browser is installed")
    run = "document.title = 'run'"
    hostile = [html.replace("steal()", run) for html in HOSTILE]
    cells = [
        code(html, stream(html), shown(text__html=html), shown(text__markdown=html))
        for html in hostile
    ]
    page = page_of(new_markdown_cell("# T"), *map(new_markdown_cell, hostile), *cells)
    bare = re.sub("<meta http-equiv[^>]*>", "", page.html)
    assert "Security" not in bare.partition("<main>")[0]
    for name, html in (("bare", bare), ("planted", bare + f"<script>{run}</script>")):
        (tmp_path / f"{name}.html").write_text(html, encoding="utf-8")
        sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        command = [
            str(browser),
            "--headless",
            "--disable-gpu",
            *sandbox,
            "--dump-dom",
            f"--user-data-dir={tmp_path / 'profile'}",
            (tmp_path / f"{name}.html").as_uri(),
        ]
        seen = subprocess.run(command, capture_output=True, check=True, timeout=60)  # fmt: skip
        dom = seen.stdout.decode("utf-8")
        assert ("<title>run</title>" in dom) == (name == "planted")
        assert ("<script>" in dom) == (name == "planted")
