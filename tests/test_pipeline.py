"""The whole way: archive to report, once; again for nothing; after a kill, the same."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from photoclf.demo import run_demo
from photoclf.errors import ArchiveError
from photoclf.paths import Workspace
from photoclf.pipeline import PipelineOptions, run_pipeline
from photoclf.schema import AUDIT, PREDICTIONS
from photoclf.tables import read_table
from tests.conftest import TINY
from tests.images import write_image

WORDS = ["--image-size", "32", "--filters", "4,8", "--batch-size", "16", "--epochs", "3"]


def metrics_of(workspace: Path) -> dict:
    (path,) = workspace.glob("models/*/eval/metrics.json")
    figures = json.loads(path.read_text(encoding="utf-8"))
    for varying in ("run_id", "evaluated_at", "test_openings"):
        figures.pop(varying)
    return figures


def pipeline_process(workspace: Path, archive: Path) -> subprocess.Popen:
    words = ["pipeline", "--workspace", str(workspace), "--archive", str(archive), *WORDS]
    return subprocess.Popen(
        [sys.executable, "-m", "photoclf", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
    )


@pytest.fixture(scope="module")
def finished(tiny_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("pipeline")
    process = pipeline_process(workspace, tiny_archive)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return workspace


@pytest.mark.notebooks
def test_one_command_takes_an_archive_to_reports_in_both_languages(finished, tiny_archive):
    (french,) = finished.glob("reports/*/rapport.fr.html")
    assert 'lang="fr"' in french.read_text(encoding="utf-8")[:400]
    assert (french.parent / "report.en.html").is_file()
    audit = read_table(finished / "data" / "audit.csv", AUDIT)
    files = sum(len(names) for _, _, names in os.walk(tiny_archive))
    assert len(audit) == files
    predictions = read_table(french.parent / "predictions_Dataset_L2.csv", PREDICTIONS)
    assert len(predictions) == sum(len(n) for _, _, n in os.walk(tiny_archive / "Dataset_L2"))


@pytest.mark.notebooks
def test_the_same_command_again_does_nothing_and_writes_nothing(finished, tiny_archive):
    before = {p: p.stat().st_mtime_ns for p in finished.rglob("*") if p.is_file()}
    lines: list[str] = []
    config = TINY.replace(epochs=3)
    run_pipeline(
        Workspace(finished), tiny_archive, PipelineOptions(configs=[config]), say=lines.append
    )
    assert lines[0] == f"archive: {tiny_archive}"
    told = [line for line in lines[1:] if not line.startswith("chosen run: ")]
    assert all(line.endswith("done before") for line in told), lines
    assert {p: p.stat().st_mtime_ns for p in finished.rglob("*") if p.is_file()} == before


@pytest.mark.notebooks
def test_a_pipeline_killed_while_training_ends_with_the_same_figures(
    finished, tiny_archive, tmp_path
):
    process = pipeline_process(tmp_path, tiny_archive)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("models/*/history.csv")) and time.monotonic() < deadline:
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not list(tmp_path.glob("models/*/done"))
    again = pipeline_process(tmp_path, tiny_archive)
    output, _ = again.communicate(timeout=300)
    assert again.returncode == 0, output
    assert "going on" in output
    assert metrics_of(tmp_path) == metrics_of(finished)


def test_a_manifest_that_a_person_edited_is_kept(tmp_path):
    archive = tmp_path / "archive"
    for i in range(12):
        write_image(archive / "Photo" / f"{i}.png", seed=i)
        write_image(archive / "Text" / f"{i}.png", seed=100 + i)
    workspace = Workspace(tmp_path / "ws")

    def stop_after_audit(line: str) -> None:
        lines.append(line)
        if line.startswith("split"):
            raise KeyboardInterrupt

    lines: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(workspace, archive, PipelineOptions(configs=[TINY]), say=stop_after_audit)
    manifest = workspace.manifest
    edited = manifest.read_text(encoding="utf-8").replace("Text/3.png;0", "Text/3.png;1")
    manifest.write_text(edited, encoding="utf-8")
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(workspace, archive, PipelineOptions(configs=[TINY]), say=stop_after_audit)
    assert manifest.read_text(encoding="utf-8") == edited
    assert any("kept data/manifest.csv" in line for line in lines)
    audit = read_table(workspace.audit, AUDIT).set_index("pathname")
    assert audit.label["Text/3.png"] == 1


def test_the_demo_refuses_a_workspace_that_belongs_to_an_archive(tmp_path):
    archive = tmp_path / "archive"
    write_image(archive / "Photo" / "a.png", seed=1)
    workspace = Workspace(tmp_path / "ws")
    workspace.data.mkdir(parents=True)
    workspace.archive_note.write_text(f"{archive}\n", encoding="utf-8")
    with pytest.raises(ArchiveError, match="--workspace DIR"):
        run_demo(workspace)
    assert not (workspace.data / "demo_archive").exists()


def test_an_archive_is_never_changed(tiny_archive, tmp_path):
    copy = tmp_path / "archive"
    shutil.copytree(tiny_archive, copy)
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in copy.rglob("*")}

    def stop_before_training(line: str) -> None:
        if line.startswith("train"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_pipeline(
            Workspace(tmp_path / "ws"),
            copy,
            PipelineOptions(configs=[TINY]),
            say=stop_before_training,
        )
    assert {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in copy.rglob("*")} == before
