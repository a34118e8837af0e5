import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoclf.band import Band
from photoclf.classifier import Classifier, ImageError
from photoclf.decode import DECODER_VERSION, DecodeError, decode_image
from photoclf.errors import ArchiveError, RunError
from photoclf.exported import ExportedModel
from photoclf.files import write_json
from photoclf.paths import release_folder
from photoclf.predict import predict_folder
from photoclf.run import Run
from photoclf.schema import PREDICTIONS
from photoclf.tables import read_table
from photoclf.temperature import tempered
from photoclf.workers import BATCH_SIZE
from tests.bright_model import SIZE, choose, png, put, spoil_facts

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files or names")


@pytest.fixture
def run(bright_run) -> Run:
    return bright_run


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "unlabelled"
    for name, grey in {"b/z.png": 250, "a.png": 10, "b/y ;é\n.png": 128, "c.png": 0}.items():
        put(root, name, png(grey)) if "\n" not in name or sys.platform != "win32" else None
    return root


def test_each_file_has_a_row_in_order_with_the_score_of_its_own_image(folder, run):
    predictions = predict_folder(folder, run)
    assert predictions.pathname.tolist() == ["a.png", "b/y ;é\n.png", "b/z.png", "c.png"]
    assert predictions.score.to_numpy() == pytest.approx(
        [10 / 255, 128 / 255, 250 / 255, 0], abs=1e-6
    )
    assert predictions.decision.tolist() == ["other", "photo", "photo", "other"]
    assert set(predictions.status) == {"used"}
    assert {c: str(d) for c, d in predictions.dtypes.items()} == PREDICTIONS.columns


def test_the_order_holds_over_many_batches_and_threads_with_bad_files_between(tmp_path, run):
    root = tmp_path / "many"
    n = 5 * BATCH_SIZE + 3
    for i in range(n):
        put(root, f"{i:04d}.png", png(i % 256) if i % 7 else b"no image")
    expected = [np.nan if i % 7 == 0 else (i % 256) / 255 for i in range(n)]
    for workers in (1, 5):
        scores = predict_folder(root, run, workers=workers).score.to_numpy()
        np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_files_without_a_score_say_why_and_none_is_lost(folder, run):
    put(folder, "empty.jpg", b"")
    put(folder, "half.png", png(9)[:50])
    put(folder, "page.jpg", b"<html>404</html>")
    put(folder, "desktop.ini", b"")
    put(folder, ".hidden/x.png", png(5))
    if sys.platform != "win32":
        os.mkfifo(folder / "pipe.jpg")
        (folder / "broken.jpg").symlink_to("gone")
        (folder / "up").symlink_to(folder)
    predictions = predict_folder(folder, run).set_index("pathname")
    without = predictions[predictions.decision == ""]
    assert without.score.isna().all()
    expected = {
        ".hidden/x.png": "ignored system_file",
        "desktop.ini": "ignored system_file",
        "empty.jpg": "unreadable empty_file",
        "half.png": "unreadable truncated",
        "page.jpg": "not_an_image not_an_image",
    }
    if sys.platform != "win32":
        expected |= {
            "broken.jpg": "unreadable vanished",
            "pipe.jpg": "not_an_image special_file",
            "up": "ignored link_to_folder",
        }
    assert (without.status + " " + without.reason).to_dict() == expected
    assert len(predictions) == len(expected) + 4
    assert (predictions.decision == "photo").sum() == (predictions.decision == "other").sum() == 2


def test_class_folders_and_ignored_ones_mean_nothing_here(tmp_path, run):
    for name in ("Photo_2/a.png", "Dataset_L2/b.png", "loose.png"):
        put(tmp_path / "x", name, png(200))
    assert set(predict_folder(tmp_path / "x", run).decision) == {"photo"}


def test_the_written_file_is_what_was_returned(folder, run, tmp_path):
    if sys.platform == "linux":
        put(folder, os.fsdecode(b"\xff.png"), png(3))
    predictions = predict_folder(folder, run, out=tmp_path / "out" / "predictions.csv")
    again = read_table(tmp_path / "out" / "predictions.csv", PREDICTIONS)
    pd.testing.assert_frame_equal(again, predictions)


def test_a_folder_without_a_readable_image_still_has_its_rows(tmp_path, run):
    put(tmp_path / "x", "a.txt", b"text")
    predictions = predict_folder(tmp_path / "x", run)
    assert predictions.status.tolist() == ["not_an_image"]


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: p.touch()])
def test_a_folder_that_is_missing_empty_or_a_file_is_refused(tmp_path, run, make):
    make(tmp_path / "x")
    with pytest.raises(ArchiveError, match="must"):
        predict_folder(tmp_path / "x", run)


# The classifier


def test_scores_are_those_of_the_images_whatever_the_number(run):
    classifier = Classifier.load(run)
    for n in (1, 2, BATCH_SIZE, BATCH_SIZE + 1, 3, 0):
        greys = np.arange(n) % 256
        pixels = np.ones((n, SIZE, SIZE, 3), np.uint8) * greys[:, None, None, None].astype(np.uint8)
        scores = classifier.scores(pixels)
        assert scores.shape == (n,)
        assert scores.dtype == np.float32
        assert scores == pytest.approx(greys / 255, abs=1e-6)


@pytest.mark.parametrize("fit", ["squash", "letterbox", "crop"])
@pytest.mark.parametrize("threads", [1, 3])
def test_paths_bytes_and_pixels_of_any_size_score_as_the_folder_does(folder, run, fit, threads):
    spoil_facts(run, fit=fit)
    expected = predict_folder(folder, run, workers=0).set_index("pathname").score
    classifier = Classifier.load(run.folder, threads=threads)
    names = list(expected.index)
    paths = [folder / name for name in names]
    for images in (
        paths,
        [str(path) for path in paths],
        (path.read_bytes() for path in paths),
        [decode_image(path) for path in paths],
        [decode_image(path)[..., 0] for path in paths],
    ):
        scores = classifier(images)
        assert scores.dtype == np.float32
        assert scores.tolist() == expected.tolist()


def test_the_release_is_loaded_by_its_name():
    classifier = Classifier.load("release", threads=1)
    (score,) = classifier([np.full((300, 300), 255, np.uint8)])
    assert 0 <= score < classifier.threshold
    assert 0 < classifier.band.low < classifier.band.high <= 1


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros(9, np.uint8),
        np.zeros((0, 5), np.uint8),
    ],
)
def test_pixels_that_are_no_image_are_refused(run, pixels):
    with pytest.raises(ImageError, match="Pixels must be uint8"):
        Classifier.load(run)([pixels])


def test_a_file_that_cannot_be_decoded_is_no_score(folder, run):
    classifier = Classifier.load(run)
    assert classifier([]).shape == (0,)
    with pytest.raises(DecodeError, match="vanished"):
        classifier([folder / "a.png", folder / "gone.png"])


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=70), st.floats(0.25, 4))
def test_a_temperature_makes_the_same_of_a_score_whatever_stands_beside_it(scores, temperature):
    scores = np.array(scores, np.float32)
    alone = [tempered(scores[i : i + 1], temperature)[0] for i in range(len(scores))]
    assert tempered(scores, temperature).tolist() == alone


def test_pixels_from_decode_and_from_a_folder_score_the_same(folder, run):
    classifier = Classifier.load(run, threads=1)
    one = classifier.scores(decode_image(folder / "b/z.png", SIZE)[None])[0]
    predictions = predict_folder(folder, run).set_index("pathname")
    assert predictions.score["b/z.png"] == one


def test_images_in_the_review_band_of_an_evaluation_are_left_to_a_person(folder, run):
    assert set(predict_folder(folder, run).decision) == {"other", "photo"}
    choose(run, 0.5, low=0.02, high=0.9)
    predictions = predict_folder(folder, run)
    assert predictions.decision.tolist() == ["review", "review", "photo", "other"]


def test_an_evaluation_that_proves_nothing_leaves_the_release_its_own_band(tmp_path):
    release = Run(tmp_path / "release")
    shutil.copytree(release_folder(), release.folder)
    own = Classifier.load(release, threads=1).model
    assert own.band.low < own.band.high
    choose(release, own.threshold)
    metrics = release.eval_folder / "metrics.json"
    told = json.loads(metrics.read_text())
    told["review"]["by"] = "nothing"
    write_json(metrics, told)
    assert ExportedModel.of(release).band == own.band
    told["review"]["by"] = "promise"
    write_json(metrics, told)
    assert ExportedModel.of(release).band == Band(own.threshold, own.threshold)


def test_a_run_that_is_not_there_is_told(folder):
    with pytest.raises(RunError, match="A run's folder must exist"):
        Classifier.load(folder / "20260101-120000_compact_cnn_0123abcd")
    with pytest.raises(RunError, match="A run's folder must exist"):
        predict_folder(folder, "releas")


def test_an_evaluation_of_an_earlier_version_has_to_be_made_again(folder, run):
    write_json(run.eval_folder / "metrics.json", {"threshold": 0.5, "temperature": 1.0})
    with pytest.raises(RunError, match="an earlier version's. Evaluate it again"):
        predict_folder(folder, run)


def test_the_threshold_is_one_half_until_evaluation_chose_another(folder, run):
    assert Classifier.load(run).threshold == 0.5
    choose(run, 128 / 255 + 1e-3)
    assert Classifier.load(run).threshold == 128 / 255 + 1e-3
    assert predict_folder(folder, run).decision.tolist() == ["other", "other", "photo", "other"]


def test_a_score_equal_to_the_threshold_is_a_photograph(tmp_path, run):
    put(tmp_path / "x", "a.png", png(128))
    score = predict_folder(tmp_path / "x", run).score[0]
    choose(run, score)
    assert predict_folder(tmp_path / "x", run).decision[0] == "photo"


def test_a_model_that_was_tampered_with_is_refused(folder, run):
    data = bytearray(run.exported_model.read_bytes())
    data[len(data) // 2] ^= 1
    run.exported_model.write_bytes(data)
    with pytest.raises(RunError, match=r"must be the file that was recorded"):
        predict_folder(folder, run)


@pytest.mark.parametrize("change", [{"fit": "letterbox"}, {"image_size": 100}])
def test_a_finished_run_whose_facts_were_edited_is_refused(folder, tmp_path, change):
    release = Run(tmp_path / "release")
    shutil.copytree(release_folder(), release.folder)
    spoil_facts(release, **change)
    with pytest.raises(RunError, match=r"model\.json of the run release must be the file"):
        predict_folder(folder, release)


@pytest.mark.parametrize("hashes", ["[]", "null", '"text"', "{}"])
def test_a_done_that_vouches_for_nothing_is_refused(folder, run, hashes):
    (run.folder / "done").write_text(f'{{"sha256": {hashes}}}')
    with pytest.raises(RunError, match="must be the file"):
        predict_folder(folder, run)


def test_a_model_of_another_decoder_is_refused(folder, run):
    spoil_facts(run, decoder_version=DECODER_VERSION + 1)
    with pytest.raises(RunError, match="decoder version"):
        predict_folder(folder, run)


@pytest.mark.parametrize("name", ["model.tflite", "model.json"])
def test_a_run_without_its_exported_model_is_refused(folder, run, name):
    (run.folder / name).unlink()
    with pytest.raises(RunError, match="must have an exported model"):
        predict_folder(folder, run)


@pytest.mark.parametrize("text", ["", "{", "{}", '{"sha256": null}'])
def test_broken_facts_of_a_model_are_an_error_a_user_can_mend(folder, run, text):
    (run.folder / "model.json").write_text(text)
    with pytest.raises(RunError):
        predict_folder(folder, run)


def test_predicting_loads_no_tensorflow_and_no_keras(folder, run):
    code = (
        "import sys; from pathlib import Path; from photoclf.predict import predict_folder;"
        "from photoclf.run import Run;"
        "print(len(predict_folder(Path(sys.argv[1]), Run(Path(sys.argv[2])))));"
        "print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(run.folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["4", "[]"]
