import ast
import contextlib
import json
import re
from pathlib import Path

import nbformat
import pytest

from photoclf.config import CHOICES, RunConfig
from photoclf.demo_archive import draw_demo_archive
from photoclf.errors import ConfigError
from photoclf.manifest import list_files
from photoclf.notebook import execute_notebook
from photoclf.paths import Workspace
from photoclf.runs import list_runs, read_choice
from photoclf.schema import AUDIT, PREDICTIONS
from photoclf.split import read_split
from photoclf.tables import read_table

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
NAMES = (
    "01_explore_archive",
    "02_understand_cnn",
    "03_train_run",
    "04_sweep",
    "05_compare_runs",
    "06_evaluate",
    "07_predict_unlabelled",
    "08_label",
)
ALL_NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
every_notebook = pytest.mark.parametrize("name", ALL_NAMES)
each_of_mine = pytest.mark.parametrize("name", NAMES)


def read_notebook(name):
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=nbformat.NO_CONVERT)


def code_of(name):
    return [cell.source for cell in read_notebook(name).cells if cell.cell_type == "code"]


def parameters_of(name):
    tagged = [
        cell
        for cell in read_notebook(name).cells
        if "parameters" in cell.metadata.get("tags", []) and cell.cell_type == "code"
    ]
    assert len(tagged) == 1
    body = ast.parse(tagged[0].source).body
    assert all(isinstance(line, ast.Assign) and len(line.targets) == 1 for line in body)
    return {line.targets[0].id: ast.literal_eval(line.value) for line in body}


def test_the_notebooks_are_there():
    assert set(NAMES) <= set(ALL_NAMES)


@every_notebook
def test_a_notebook_is_valid_and_says_python3(name):
    notebook = read_notebook(name)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


@every_notebook
def test_a_notebook_is_committed_without_outputs(name):
    for cell in read_notebook(name).cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@every_notebook
def test_a_notebook_has_one_parameters_cell_and_it_comes_first(name):
    cells = [cell for cell in read_notebook(name).cells if cell.cell_type == "code"]
    tagged = ["parameters" in cell.metadata.get("tags", []) for cell in cells]
    assert tagged == [True] + [False] * (len(cells) - 1)
    assert "workspace" in parameters_of(name)


@every_notebook
def test_a_notebook_holds_no_logic(name):
    forbidden = (
        ast.FunctionDef,
        ast.AsyncFunctionDef,
        ast.ClassDef,
        ast.Lambda,
        ast.If,
        ast.While,
        ast.Try,
    )
    for source in code_of(name):
        found = [type(node).__name__ for node in ast.walk(ast.parse(source))]
        assert not set(found) & {kind.__name__ for kind in forbidden}, source
        assert "sys.path" not in source


@every_notebook
def test_a_notebook_is_short(name):
    sources = code_of(name)
    assert len(sources) <= 20
    for source in sources[1:]:
        assert len(source.splitlines()) <= 12, source
    assert all(len(line) <= 100 for source in sources for line in source.splitlines())


@each_of_mine
def test_a_notebook_is_written_as_nbstripout_leaves_it(name):
    text = (NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8")
    content = json.loads(text)
    assert text == json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    ids = [cell["id"] for cell in content["cells"]]
    assert ids == [str(number) for number in range(len(ids))]


@each_of_mine
def test_each_parameter_has_a_comment(name):
    lines = [line for line in code_of(name)[0].splitlines() if line]
    assert lines
    assert all(re.fullmatch(r"\w+ = .+  # \S.+", line) for line in lines)


@each_of_mine
def test_a_notebook_begins_with_its_question_and_ends_with_what_it_wrote(name):
    cells = read_notebook(name).cells
    assert re.match(rf"# {int(name[:2])} · ", cells[0].source)
    assert "?**" in cells[0].source
    assert "**Written:**" in cells[-1].source
    assert "**Next:**" in cells[-1].source


@each_of_mine
def test_each_result_has_a_claim_before_it_and_a_reading_after(name):
    cells = read_notebook(name).cells
    for before, cell, after in zip(cells[2:], cells[3:], cells[4:], strict=False):
        if cell.cell_type == "code" and "open_workspace" not in cell.source:
            assert before.cell_type == "markdown"
            assert re.sub(r"(?m)^#.*$", "", before.source).strip()
            assert after.cell_type == "markdown"


@each_of_mine
def test_a_notebook_names_notebooks_and_commands_that_exist(name):
    prose = "\n".join(c.source for c in read_notebook(name).cells if c.cell_type == "markdown")
    named = set(re.findall(r"`(\d\d_\w+)`", prose))
    assert named <= {*ALL_NAMES, "09_client_report"}


@each_of_mine
def test_an_unknown_parameter_is_refused_before_anything_else(name, tmp_path):
    parameters, imports = code_of(name)[:2]
    variables = {"__name__": "__main__"}
    exec(parameters, variables)
    variables["workspace"] = str(tmp_path)
    variables["sed"] = 3  # what papermill does with a mistyped `seed`
    with pytest.raises(ConfigError, match="Received: 'sed'"):
        exec(imports, variables)
    assert not any(tmp_path.iterdir())


def test_training_takes_exactly_the_fields_and_defaults_of_a_config():
    parameters = parameters_of("03_train_run")
    assert set(parameters) == {
        *CHOICES,
        *("workspace", "archive", "split", "stop_after"),
    }
    defaults = RunConfig().to_mapping()
    assert {name: parameters[name] for name in defaults} == defaults


SPACE = """\
name: tiny
question: Does a second stage help?
base: {model: compact_cnn, image_size: 32, epochs: 1, batch_size: 16, threads: 2}
parameters:
  filters: [[4, 8], [4]]
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Run all notebooks in order on a tiny archive, as a reader would."""
    folder = tmp_path_factory.mktemp("notebooks")
    draw_demo_archive(folder / "archive", images_per_class=11)
    listing = list_files(folder / "archive")
    (folder / "tiny.yaml").write_text(SPACE)
    archive = {"archive": "archive"}
    small = {"image_size": 32, "filters": [4, 8], "epochs": 2, "batch_size": 16, "threads": 2}
    parameters = {
        "01_explore_archive": {**archive, "samples_per_class": 2},
        "02_understand_cnn": {**archive, "image_size": 64, "filters": [4, 8]},
        "03_train_run": {**archive, **small},
        "04_sweep": {**archive, "space": "tiny.yaml", "max_trials": 1},
        "05_compare_runs": {},
        "06_evaluate": archive,
        "07_predict_unlabelled": archive,
        "08_label": {**archive, "by": "unlabelled", "who": "anna"},
    }
    with contextlib.chdir(folder):  # papermill's own parameters are relative to it
        for name, values in parameters.items():
            output = folder / "out" / f"{name}.ipynb"
            execute_notebook(name, output, {**values, "workspace": "ws"}, folder=folder)
    return folder, listing


@pytest.mark.notebooks
def test_all_notebooks_run_in_order_and_exchange_files(executed):
    folder, _ = executed
    workspace = Workspace(folder / "ws")
    audit = read_table(workspace.audit, AUDIT)
    split = read_split(workspace.split)
    runs = list_runs(workspace.models)
    chosen = read_choice(workspace.choice, workspace.models)
    predictions = read_table(
        workspace.reports / chosen.run_id / "predictions_Dataset_L2.csv", PREDICTIONS
    )
    assert len(split) == (audit.status == "used").sum()
    assert [run.done for run in runs] == [True, True]
    assert chosen.run_id in {run.run_id for run in runs}
    assert len(list(workspace.reports.glob("comparison/all/*.html"))) == 2
    assert (chosen.eval_folder / "metrics.json").is_file()
    assert len(predictions) == len(list_files(folder / "archive" / "Dataset_L2"))


@pytest.mark.notebooks
def test_running_the_notebooks_changes_nothing_in_the_archive(executed):
    folder, listing = executed
    assert list_files(folder / "archive").equals(listing)


@pytest.mark.notebooks
@each_of_mine
def test_an_executed_notebook_shows_results_and_no_path_of_the_machine(name, executed):
    folder, _ = executed
    notebook = nbformat.read(folder / "out" / f"{name}.ipynb", as_version=4)
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    assert outputs
    assert not any(out.output_type == "error" for out in outputs)
    text = json.dumps([{k: v for k, v in out.items() if k != "metadata"} for out in outputs])
    assert str(folder) not in text
    assert str(Path.home()) + "/" not in text
