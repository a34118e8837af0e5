import json
import os
import sys
import time

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from photoclf import bench, bench_images, predict_bench, process_bench, scan_bench, training_bench
from photoclf.bench_images import draw_photographs, lay_files
from photoclf.bench_rounds import Contender, time_in_turn
from photoclf.cli import main
from photoclf.errors import ArchiveError, ConfigError, PhotoclfError
from photoclf.export import keras_scores
from photoclf.keras_input import ReferenceSequence, decode_as_reference, keras_batches
from photoclf.process_bench import cold_start_contenders, peak_memory
from photoclf.scorer import Scorer
from photoclf.temperature import tempered
from tests.images import write_image


@pytest.fixture
def tiny(monkeypatch):
    """Work so small that every part is done in seconds; the figures then say nothing."""
    monkeypatch.setattr(scan_bench, "FILES", 1000)
    monkeypatch.setattr(training_bench, "FED", 64)
    monkeypatch.setattr(bench_images, "PHOTOGRAPHS", 3)
    monkeypatch.setattr(bench_images, "SCANS", 1)
    monkeypatch.setattr(bench, "PREDICTED", 4)
    monkeypatch.setattr(bench, "PREDICTED_SCANS", 2)
    monkeypatch.setattr(bench, "COLD_IMAGES", 2)
    monkeypatch.setattr(predict_bench, "PIXELS", 4)
    monkeypatch.setattr(predict_bench, "_SIDE", 64)
    # Importing Keras takes seconds each time; the test of the cold start does it.
    monkeypatch.setattr(process_bench, "_KERAS", "import time; time.sleep(0.5)")


def test_every_contender_of_cache_and_scan_gets_a_figure(tmp_path, tiny):
    for i in range(3):
        write_image(tmp_path / f"{i}.png", seed=i)
    table = bench.run_bench(["cache", "scan"], data=tmp_path, rounds=1, image_size=16)
    assert table.part.tolist() == ["cache"] * 4 + ["scan"] * 2
    assert (table.images_per_s > 0).all()
    first = table.groupby("part").head(1)
    assert (first.ratio == 1.0).all()
    assert (tmp_path / "0.png").is_file()
    assert len(list(tmp_path.iterdir())) == 3, "the images' folder is left as it was"


def test_predicting_is_measured_from_disk_to_disk_against_keras_and_limits(tiny):
    options = ["--only", "predict", "--rounds", "1", "--memory-files", "3", "--json"]
    shown = CliRunner().invoke(main, ["bench", *options])
    assert shown.exit_code == 0, shown.output
    told = json.loads(shown.output)
    parts = {}
    for row in told["rows"]:
        parts.setdefault(row["part"], {})[row["contender"]] = row
    assert list(parts) == ["predict_small", "predict_scans", "inference", "cold_start", "memory"]
    for part in ("predict_small", "predict_scans"):
        ours = parts[part]["predict_folder"]
        assert 0 < ours["of_decode"] < ours["of_limit"], "both limits together are the nearer one"
        assert next(iter(parts[part].values()))["ratio"] == 1
    assert parts["inference"]["LiteRT, one image at a time on one core"]["of_limit"] > 0
    assert parts["cold_start"]["photoclf predict"]["seconds"] > 0
    assert next(iter(parts["memory"].values()))["peak_mb"] > 50
    assert told["before"]["cpu"]["count"] == os.cpu_count()
    assert {"python", "numpy", "keras", "ai-edge-litert", "simplejpeg"} <= set(
        told["after"]["versions"]
    )
    assert os.path.expanduser("~") not in shown.output


def test_ratios_and_shares_are_taken_within_rounds():
    def sleeper(seconds, images=1):
        return lambda: time.sleep(seconds) or images

    contenders = [
        Contender("slow", sleeper(0.04)),
        Contender("fast", sleeper(0.02, 4), {"of_limit": "limit"}, counted=False),
        Contender("limit", sleeper(0.01, 4)),
        Contender("both", after=("fast", "limit")),
    ]
    table = time_in_turn("naps", contenders, rounds=3, cpu_limit="limit").set_index("contender")
    assert table.ratio["slow"] == 1
    assert table.ratio["fast"] == pytest.approx(8, rel=0.3)
    assert table.of_limit["fast"] == pytest.approx(0.5, rel=0.3)
    assert table.images_per_s["both"] == pytest.approx(4 / 0.03, rel=0.3)
    assert table.seconds["fast"] == pytest.approx(0.02, rel=0.3)
    assert np.isnan(table.cpu_ms["fast"]), "it can't be told"
    assert table.cpu_of_limit["limit"] == 1
    assert table.of_limit.isna().sum() == 3
    assert (table.low <= table.images_per_s).all()
    assert (table.images_per_s <= table.high).all()


def test_the_reference_and_keras_read_the_same_files_in_the_same_order(tmp_path):
    paths = [write_image(tmp_path / f"{i}.png", seed=i) for i in range(5)]
    sequence = ReferenceSequence(paths, 40, 2)
    assert [len(sequence[i]) for i in range(len(sequence))] == [2, 2, 1]
    one_by_one = np.concatenate([sequence[i] for i in range(len(sequence))])
    by_keras = np.concatenate([np.asarray(batch) for batch in keras_batches(tmp_path, 40, 2, 2)])
    assert len(by_keras) == 10, "the folder is gone through twice"
    np.testing.assert_allclose(by_keras[:5], one_by_one, atol=0.5)
    np.testing.assert_array_equal(one_by_one[3], decode_as_reference(paths[3], 40))


def test_what_is_predicted_in_keras_is_the_release(tmp_path):
    rivals = predict_bench.Rivals.of_release(tmp_path)
    size = rivals.exported.image_size
    pixels = np.random.default_rng(1).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    scorer = Scorer(rivals.exported)
    expected = tempered(keras_scores(rivals.model, pixels), rivals.exported.temperature)
    np.testing.assert_allclose([scorer.score(one) for one in pixels], expected, atol=1e-4)


def test_a_fresh_process_predicts_the_same_as_keras_does_and_sooner(tmp_path):
    rivals = predict_bench.Rivals.of_release(tmp_path)
    rivals.model.save(tmp_path / "release.keras")
    folder = tmp_path / "images"
    folder.mkdir()
    size = rivals.exported.image_size
    for i in range(2):
        write_image(folder / f"{i}.png", seed=i, size=(size, size))  # nothing is resized
    seconds = []
    for one in cold_start_contenders(folder, tmp_path / "release.keras", tmp_path):
        start = time.perf_counter()
        assert one.work() == 2
        seconds.append(time.perf_counter() - start)
    assert seconds[1] < seconds[0], "without TensorFlow"
    by_keras = pd.read_csv(tmp_path / "cold_0.csv", sep=";", header=None)[1]
    ours = pd.read_csv(tmp_path / "cold_1.csv", sep=";").score
    expected = tempered(by_keras.to_numpy(), rivals.exported.temperature)
    np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_sgemm_is_told_as_images_of_so_many_operations(monkeypatch):
    monkeypatch.setattr(predict_bench, "_SIDE", 32)
    assert predict_bench.multiply(1, flops=1024.0)() == 8 * 2 * 32**3 / 1024


def test_drawn_photographs_are_small_jpegs_and_laid_as_often_as_wanted(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_images, "PHOTOGRAPHS", 2)
    drawn = draw_photographs(tmp_path / "drawn")
    for path in drawn:
        with Image.open(path) as image:
            assert image.format == "JPEG"
            assert image.mode == "RGB"
            assert max(image.size) <= 1000
    laid = lay_files(drawn, tmp_path / "laid", 5)
    assert [path.name for path in laid] == [f"{i:06d}.jpg" for i in range(5)]
    assert laid[4].read_bytes() == drawn[0].read_bytes()


def test_where_a_disk_has_no_links_files_are_copied(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    path = write_image(tmp_path / "a.PNG", seed=0)
    (laid,) = lay_files([path], tmp_path / "laid", 1)
    assert laid.name == "000000.png"
    assert laid.read_bytes() == path.read_bytes()


def test_memory_is_that_of_a_process_and_its_children_together():
    child = "import time; held = bytearray(60_000_000); time.sleep(0.8)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    peak, seconds = peak_memory([sys.executable, "-c", parent])
    assert 60e6 < peak < 110e6
    assert seconds > 0.8


def test_what_the_bench_starts_and_fails_is_told_with_its_error(tmp_path):
    with pytest.raises(PhotoclfError, match="status 1(.|\n)*no such luck"):
        peak_memory([sys.executable, "-c", "raise SystemExit('no such luck')"])
    ours = cold_start_contenders(tmp_path / "images", tmp_path / "any.keras", tmp_path)[1]
    (tmp_path / "images").mkdir()  # empty
    with pytest.raises(PhotoclfError, match="must end well"):
        ours.work()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"parts": ["imput"]}, "Did you mean 'input'"),
        ({"parts": ["scan"], "rounds": 0}, "`rounds` must be 1 or more"),
        ({"parts": ["scan"], "memory_files": ()}, "`memory_files` must be"),
    ],
)
def test_choices_that_make_no_sense_are_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        bench.run_bench(**options)


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("no image")
    (tmp_path / "b.jpg").write_text("no image either")
    with pytest.raises(ArchiveError, match="must have JPEG or PNG"):
        bench.run_bench(["cache"], data=tmp_path)
