import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from photoclf.config import RunConfig
from photoclf.errors import ConfigError, PhotoclfError
from photoclf.notebook import (
    KernelDiedError,
    check_parameters,
    execute_notebook,
    open_workspace,
    run_config,
)


def variables(**parameters):
    """What a notebook's globals() hold after its imports and its parameters."""
    return {
        "__name__": "__main__",
        "_ih": ["", "x = 1"],
        "_": 3,
        "_i1": "x = 1",
        "In": ["", "x = 1"],
        "Out": {},
        "exit": object(),
        "quit": object(),
        "open": open,
        "get_ipython": lambda: None,
        "Path": Path,
        "math": math,
        "np": np,
        "RunConfig": RunConfig,
        "run_config": run_config,
    } | parameters


def test_known_parameters_imports_and_ipython_s_own_names_pass():
    check_parameters(variables(epochs=3, seed=1), "epochs", "seed")


@pytest.mark.parametrize("value", [3, "3", None, [3], {"a": 1}, 0.5, True, (), np.float64(3)])
def test_an_unknown_parameter_of_any_kind_is_refused_with_the_near_one(value):
    with pytest.raises(ConfigError, match=r"'epoch'.*Did you mean 'epochs'"):
        check_parameters(variables(epochs=10, epoch=value), "epochs", "seed")


@pytest.mark.parametrize(
    "unknown", [{"_epochs": 3}, {"_seed": 1}, {"In": 3}, {"exit": "now"}, {"__epochs": 3}]
)
def test_a_name_that_looks_like_ipython_s_own_hides_no_parameter(unknown):
    with pytest.raises(ConfigError, match="must be one of"):
        check_parameters(variables() | unknown, "epochs", "seed")


def test_the_error_lists_what_would_be_right():
    with pytest.raises(ConfigError, match="one of epochs, seed. Received: 'zzz'"):
        check_parameters(variables(zzz=1), "epochs", "seed")


def test_the_workspace_is_relative_to_where_the_notebook_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    workspace = open_workspace(variables(workspace="here", seed=1), "seed")
    assert workspace.root == tmp_path / "here"
    assert list(tmp_path.iterdir()) == []


def test_opening_a_workspace_checks_the_parameters_first():
    with pytest.raises(ConfigError, match="'worksapce'.*'workspace'"):
        open_workspace(variables(workspace=".", worksapce="elsewhere"))


@pytest.mark.parametrize("value", [None, "", 5, ["."], False])
def test_a_workspace_that_is_no_path_is_refused(value):
    with pytest.raises(ConfigError, match="`workspace` must be a folder's path"):
        open_workspace(variables(workspace=value))


def test_a_missing_workspace_is_refused():
    with pytest.raises(ConfigError, match="`workspace`"):
        open_workspace(variables())


def test_a_run_s_config_is_made_of_the_parameters_that_are_its_fields():
    parameters = variables(workspace=".", run_id="", epochs=3, filters=[8, 16], image_size=None)
    assert run_config(parameters) == RunConfig(epochs=3, filters=(8, 16))


@pytest.mark.parametrize(("name", "value"), [("epochs", "3"), ("dropout", 2), ("model", "vgg")])
def test_a_parameter_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=f"`{name}`"):
        run_config(variables(**{name: value}))


# Running one, in a kernel: a notebook of two cells, among the project's as it were


@pytest.fixture
def run_cells(tmp_path, monkeypatch):
    def run(*sources, **parameters):
        cells = [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": f"cell-{i}",
                "metadata": {"tags": [] if i else ["parameters"]},
                "outputs": [],
                "source": source,
            }
            for i, source in enumerate(("x = 1\nworkspace = ''", *sources))
        ]
        metadata = {"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
        notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
        (tmp_path / "given.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
        monkeypatch.setattr("photoclf.notebook.find_notebook", lambda _: tmp_path / "given.ipynb")
        output = tmp_path / "out" / "done.ipynb"
        with open(tmp_path / "log.txt", "w", encoding="utf-8") as log:
            execute_notebook("given", output, parameters, folder=tmp_path, log=log)
        return output.read_text(encoding="utf-8")

    return run


def test_an_unknown_parameter_is_refused_before_a_kernel_starts(run_cells, tmp_path):
    with pytest.raises(ConfigError, match=r"one of x, workspace. Received: 'xx'. Did you mean 'x'"):
        run_cells(xx=2)
    assert not (tmp_path / "out").exists()


def test_a_failing_cell_is_named_and_the_notebook_is_kept(run_cells, tmp_path):
    with pytest.raises(PhotoclfError, match=r"ZeroDivisionError: division by zero"):
        run_cells("x / 0", x=2)
    text = (tmp_path / "out" / "done.ipynb").read_text(encoding="utf-8")
    notes = json.loads(text)["metadata"]["papermill"]
    assert (notes["input_path"], notes["output_path"]) == ("given.ipynb", "done.ipynb")


def test_an_executed_notebook_names_no_folder_of_the_machine_in_a_traceback_either(
    run_cells, tmp_path
):
    (tmp_path / "mine.py").write_text("def fail(): raise ValueError('no')")
    call = "import os, sys; sys.path.insert(0, os.getcwd()); import mine; mine.fail()"
    with pytest.raises(PhotoclfError, match="ValueError: no"):
        run_cells("from photoclf.config import RunConfig", "import json", call)
    text = (tmp_path / "out" / "done.ipynb").read_text(encoding="utf-8")
    assert "mine.py" in text
    for place in (tmp_path, Path(__file__).parents[1], Path.home() / "x"):
        assert str(place).removesuffix("x") not in text


def test_what_cells_print_is_in_the_log(run_cells, tmp_path):
    run_cells("import sys; print('out'); print('err', file=sys.stderr)")
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert {"out", "err"} <= set(log.split())


def test_a_kernel_that_dies_is_told_apart_from_a_cell_that_fails(run_cells):
    with pytest.raises(KernelDiedError, match="must live"):
        run_cells("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")


def test_kernels_that_start_at_once_do_not_meet(run_cells, tmp_path):
    run_cells("x")  # so that the notebook is there
    script = (
        "import sys; from pathlib import Path; import photoclf.notebook as n;"
        "n.find_notebook = lambda _: Path('given.ipynb');"
        "n.execute_notebook('given', Path(sys.argv[1]), {}, folder=Path())"
    )
    names = [f"{number}.ipynb" for number in range(4)]
    # From one folder, where Jupyter gives the sockets of all of them the same names.
    together = [
        subprocess.Popen([sys.executable, "-c", script, name], cwd=tmp_path, stderr=-1)
        for name in names
    ]
    for process in together:
        assert process.wait(timeout=50) == 0, process.communicate()
    assert all((tmp_path / name).is_file() for name in names)


def test_a_notebook_that_does_not_exist_is_an_error_a_user_can_mend(tmp_path):
    with pytest.raises(PhotoclfError, match="'nothing'"):
        execute_notebook("nothing", tmp_path / "o.ipynb", {}, folder=tmp_path)
