import numpy as np
import pandas as pd
import pytest
from PIL import Image

from photoclf import checks, steps
from photoclf.config import RunConfig
from photoclf.errors import PhotoclfError, RunError
from photoclf.label_check import CHEAP_MODEL, find_suspects, label_quality, picture_features
from photoclf.paths import Workspace
from photoclf.run import create_run
from photoclf.schema import EVALUATION, MANIFEST, SUSPECTS
from photoclf.tables import read_table, write_table

PLANTED = "Text/007.png"


def draw(path, is_photo, rng):
    """Draw soft colours, or black lines on white."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if is_photo:
        colours = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        image = Image.fromarray(colours).resize((48, 48), Image.Resampling.BICUBIC)
    else:
        page = np.full((48, 48, 3), 250, np.uint8)
        page[rng.permutation(48)[:12], 4 : int(rng.integers(20, 44))] = 10
        image = Image.fromarray(page)
    image.save(path)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Audit 60 drawn images, of which one photograph lies among the pages."""
    place = tmp_path_factory.mktemp("labels")
    rng = np.random.default_rng(5)
    for i in range(30):
        draw(place / "archive" / "Photo" / f"{i:03d}.png", True, rng)
        name = f"Text/{i:03d}.png"
        draw(place / "archive" / name, name == PLANTED, rng)
    made = Workspace(place / "ws")
    steps.scan(made, place / "archive")
    steps.audit(made, place / "archive")
    return made


def scored(scores, labels):
    names = [f"{i}.png" for i in range(len(labels))]
    return pd.DataFrame(
        {"pathname": names, "label": labels, "class_folder": "x", "source": ""}
    ), scores


def test_a_planted_wrong_label_is_the_first_suspect(workspace):
    suspects = checks.check_labels(workspace)
    assert suspects.pathname[0] == PLANTED
    assert suspects.score[0] > 0.5
    assert len(suspects) <= 4
    assert set(suspects.scored_by) == {CHEAP_MODEL}


def test_suspects_are_written_and_nothing_is_relabelled(workspace):
    before = workspace.manifest.read_bytes(), workspace.audit.read_bytes()
    suspects = checks.check_labels(workspace)
    assert (workspace.manifest.read_bytes(), workspace.audit.read_bytes()) == before
    written = read_table(workspace.data / "suspects.csv", SUSPECTS)
    assert written.pathname.tolist() == suspects.pathname.tolist()
    labels = read_table(workspace.manifest, MANIFEST).set_index("pathname").label
    assert (written.label == labels[written.pathname].to_numpy()).all()


def test_the_same_seed_gives_the_same_suspects(workspace):
    first, again = (checks.check_labels(workspace, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)


def test_the_scores_of_an_evaluated_run_are_taken_when_it_is_named(workspace):
    run = create_run(workspace.models, RunConfig(), {})
    with pytest.raises(RunError, match="must have been evaluated"):
        checks.check_labels(workspace, run)
    images, scores = scored([0.95] * 10 + [0.02] + [0.05] * 9, [1] * 11 + [0] * 9)
    table = images.assign(split="test", group=images.pathname, score=scores)
    table = table.assign(decision="photo", triage="photo")
    write_table(table, run.eval_folder / "predictions.csv", EVALUATION)
    suspects = checks.check_labels(workspace, run)
    assert suspects.pathname.tolist() == ["10.png"]
    assert suspects.scored_by.tolist() == [run.run_id]


def test_labels_that_the_scores_agree_with_are_no_suspects():
    suspects = find_suspects(*scored([0.9] * 10 + [0.1] * 10, [1] * 10 + [0] * 10), "run")
    assert suspects.empty
    assert list(suspects.columns) == list(SUSPECTS.columns)


def test_the_most_contradicted_label_comes_first():
    scores = [0.9] * 10 + [0.2, 0.01] + [0.1] * 10 + [0.97]
    suspects = find_suspects(*scored(scores, [1] * 12 + [0] * 11), "run")
    assert suspects.pathname.tolist()[:2] == ["11.png", "22.png"]
    assert suspects.label_quality.is_monotonic_increasing


def test_quality_is_the_probability_of_the_label_that_stands():
    quality, _ = label_quality([1, 0, 1, 0], [0.9, 0.2, 0.3, 0.6])
    assert quality == pytest.approx([0.9, 0.8, 0.3, 0.4])


@pytest.mark.parametrize(
    ("labels", "scores", "said"),
    [
        ([1, 1], [0.5, 0.5], "photographs and other images"),
        ([0, 1], [0.5, 1.5], "from 0 to 1"),
        ([0, 1], [0.5, float("nan")], "from 0 to 1"),
        ([0, 1, 1], [0.5, 0.5], "one length"),
    ],
)
def test_scores_that_judge_nothing_are_refused(labels, scores, said):
    with pytest.raises(PhotoclfError, match=said):
        label_quality(labels, scores)


def test_features_are_finite_whatever_the_picture():
    rng = np.random.default_rng(0)
    pictures = np.stack(
        [np.zeros((64, 64, 3)), np.full((64, 64, 3), 255), rng.integers(0, 256, (64, 64, 3))]
    ).astype(np.uint8)
    features = picture_features(pictures)
    assert features.shape[0] == 3
    assert np.isfinite(features).all()
    assert features[:, :16].sum(axis=1) == pytest.approx(1)
