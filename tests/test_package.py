"""What importing costs, and that no part of the package opens a door it shouldn't."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WITH_TENSORFLOW = {
    "backend", "models", "averaging", "checkpoints", "callbacks", "datasets", "export", "train",
    "explain", "anatomy", "flops", "footprint", "training_views", "efficientnet_lite",
    "backbones", "recipes", "feature_parts", "probe", "applications", "left_out", "release",
    "neighbours", "released_weights", "keras_input",
}  # fmt: skip
MODULES = sorted(
    path.stem for path in (ROOT / "photoclf").glob("*.py") if not path.stem.startswith("__")
)


def modules_after(code: str) -> set[str]:
    script = f"{code}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_all_other_modules_are_imported_without_tensorflow_and_silently():
    names = [m for m in MODULES if m not in WITH_TENSORFLOW]
    loaded = modules_after("\n".join(f"import photoclf.{name}" for name in names))
    assert not loaded & {"tensorflow", "keras", "torch"}
    assert {f"photoclf.{name}" for name in names} <= loaded


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["pipeline", "--help"]])
def test_help_needs_no_heavy_package(words):
    code = (
        "from click.testing import CliRunner\nfrom photoclf.cli import main\n"
        f"assert CliRunner().invoke(main, {words!r}).exit_code == 0"
    )
    assert not modules_after(code) & {"tensorflow", "pandas", "numpy", "PIL", "matplotlib"}


def test_the_package_runs_as_a_module():
    result = subprocess.run(
        [sys.executable, "-m", "photoclf", "--help"], capture_output=True, text=True, check=True
    )
    verbs = re.findall(r"^  ([a-z-]+) ", result.stdout, flags=re.MULTILINE)
    wanted = "demo-archive scan audit split cache train sweep compare evaluate predict report"
    in_order = [verb for verb in verbs if verb in wanted.split()]
    assert in_order == wanted.split()
    assert {"check", "ablate", "pipeline", "demo", "bench"} <= set(verbs)
