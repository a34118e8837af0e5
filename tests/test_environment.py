"""The three faces of the environment agree, and installing it brings nothing unwanted."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


def name_of(requirement: str) -> str:
    return re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0].lower().replace("_", "-")


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def locked() -> dict[str, set[str]]:
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    versions: dict[str, set[str]] = {}
    for package in packages:
        versions.setdefault(package["name"], set()).add(package.get("version", ""))
    return versions


@pytest.fixture(scope="module")
def exported() -> list[str]:
    lines = (ROOT / "requirements.lock.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith(("#", " "))]


def asked_for(project: dict) -> list[str]:
    extras = project["project"]["optional-dependencies"]
    groups = [project["project"]["dependencies"], extras["cpu"], extras["heif"], extras["parquet"]]
    return [r for group in [*groups, project["dependency-groups"]["dev"]] for r in group]


def test_every_exported_version_is_the_locked_one(locked, exported):
    for line in exported:
        name, version = re.match(r"([^=\[]+)(?:\[.*\])?==([^ ;]+)", line).groups()
        assert version in locked[name], line


def test_everything_the_project_asks_for_is_exported(project, exported):
    names = {name_of(line) for line in exported}
    assert {name_of(requirement) for requirement in asked_for(project)} <= names


def test_versions_that_the_project_pins_are_those_exported(project, exported):
    pins = [r.split(";")[0].strip() for r in asked_for(project) if "==" in r]
    lines = {line.split(";")[0].strip().split("[")[0] for line in exported}
    assert {pin.split("[")[0] for pin in pins} <= lines


def test_the_lock_was_made_from_this_pyproject(project):
    package = next(
        p
        for p in tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
        if p["name"] == "photoclf"
    )
    asked = {name_of(r) for r in project["project"]["dependencies"]}
    assert {d["name"] for d in package["dependencies"]} == asked
    specifiers = {(d["name"], d.get("specifier", "")) for d in package["metadata"]["requires-dist"]}
    for requirement in project["project"]["dependencies"]:
        wanted = requirement.split(";")[0].strip()[len(name_of(requirement)) :].strip()
        assert (name_of(requirement), wanted) in specifiers


def test_conda_installs_the_exported_lock_and_the_project():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *conda, pip = environment["dependencies"]
    assert conda == ["python=3.11", "pip"]
    assert pip == {"pip": ["-r requirements.lock.txt", "-e ."]}


def test_pip_can_install_the_lock_and_the_editable_project_in_one_call(exported):
    # pip refuses `-e .` beside requirements with hashes, and conda passes both in one file.
    text = (ROOT / "requirements.lock.txt").read_text(encoding="utf-8")
    assert "--hash" not in text


def test_no_torch_is_installed_and_one_tensorflow_only(exported):
    names = [name_of(line) for line in exported]
    assert not {"torch", "torchvision", "jax", "jaxlib"} & set(names)
    markers = {name_of(li): li.split(";", 1)[1] for li in exported if "tensorflow" in name_of(li)}
    assert set(markers) == {"tensorflow", "tensorflow-cpu"}
    assert "!=" in markers["tensorflow"]
    assert "!=" not in markers["tensorflow-cpu"]


def test_make_help_lists_the_targets_with_a_line_of_text():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^([a-z-]+):.*## (.+)$", text, flags=re.MULTILINE))
    wanted = {"env", "demo", "test", "lab", "tensorboard", "bench", "lint", "strip", "clean"}
    assert wanted <= set(listed)
