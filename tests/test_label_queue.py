import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.special import logit

from photoclf import steps
from photoclf.audit import audit_images
from photoclf.errors import ConfigError, TableError
from photoclf.label_journal import LabelJournal
from photoclf.label_queue import make_queue
from photoclf.paths import Workspace, remembered_archive
from photoclf.prediction_table import to_parquet
from photoclf.schema import PREDICTIONS, QUEUE, SPLIT, SUSPECTS
from photoclf.split import split_hash
from photoclf.tables import write_table
from tests.images import write_image
from tests.made_runs import make_run


def write_predictions(path, scores, band=(0.4, 0.6), lost=()):
    ends = ["photo" if s >= band[1] else "other" if s < band[0] else "review" for s in scores]
    rows = pd.DataFrame({"pathname": [f"{i:05d}.png" for i in range(len(scores))]})
    rows = rows.assign(score=scores, decision=ends, status="used", reason="")
    gone = pd.DataFrame({"pathname": list(lost), "status": "unreadable", "reason": "empty_file"})
    rows = pd.concat([rows, gone.assign(score=np.nan, decision="")], ignore_index=True)
    write_table(rows.reindex(columns=list(PREDICTIONS.columns)), path, PREDICTIONS)
    return path


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "ws")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """An audited archive with two classes, a copy, an unlabelled folder and a broken file."""
    root = tmp_path_factory.mktemp("labelled")
    archive, workspace = root / "archive", Workspace(root / "ws")
    for i in range(16):
        write_image(archive / "Photo" / f"{i}.png", seed=i)
        write_image(archive / "Text" / f"{i}.png", seed=100 + i)
    for i in range(6):
        write_image(archive / "Photo_2" / "ab"[i % 2] / f"{i}.png", seed=200 + i)
    shutil.copy(archive / "Photo" / "1.png", archive / "Photo" / "copy.png")
    (archive / "Text" / "broken.png").write_bytes(b"")
    steps.scan(workspace, archive)
    steps.audit(workspace)
    return workspace


def test_what_the_model_leaves_to_a_person_comes_first_then_what_is_nearest(workspace, tmp_path):
    scores = [0.99, 0.45, 0.61, 0.02, 0.58, 0.39, 0.5]
    path = write_predictions(tmp_path / "p.csv", scores, lost=["z.png"])
    queue = make_queue(workspace, by="uncertainty", predictions=path)
    assert list(queue.columns) == list(QUEUE.columns)
    assert queue.score.tolist() == [0.5, 0.45, 0.58, 0.61, 0.39, 0.02, 0.99]
    assert set(queue.source) == {"uncertainty"}


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=40),
    st.floats(0.01, 0.99),
)
def test_without_a_band_what_is_nearest_in_log_odds_comes_first(tmp_path_factory, scores, at):
    place = tmp_path_factory.mktemp("q")
    path = write_predictions(place / "p.csv", scores, band=(at, at))
    queue = make_queue(Workspace(place), by="uncertainty", predictions=path)
    assert sorted(queue.score) == pytest.approx(sorted(scores))
    # Each side is in order, from the threshold outwards; 1e-7 is as near to 0 or 1 as counts.
    odds = logit(queue.score.clip(1e-7, 1 - 1e-7))
    above, below = (odds[queue.score >= at].tolist(), odds[queue.score < at].tolist())
    assert above == sorted(above)
    assert below == sorted(below, reverse=True)


def test_a_random_queue_begins_with_the_shorter_one_and_is_a_sample_of_all(workspace, tmp_path):
    path = write_predictions(tmp_path / "p.csv", np.linspace(0, 1, 200), lost=["z.png"])
    long, short, other = (
        make_queue(workspace, by="random", images=n, seed=seed, predictions=path)
        for n, seed in ((200, 1), (50, 1), (50, 2))
    )
    assert long.pathname.head(50).tolist() == short.pathname.tolist()
    assert long.pathname.is_unique
    assert len(long) == 200  # every readable file, none twice
    assert set(other.pathname) != set(short.pathname)


def test_each_file_is_as_often_in_a_random_queue(workspace, tmp_path):
    path = write_predictions(tmp_path / "p.csv", np.linspace(0, 1, 20))
    drawn = [
        name
        for seed in range(300)
        for name in make_queue(
            workspace, by="random", images=5, seed=seed, predictions=path
        ).pathname
    ]
    counts = pd.Series(drawn).value_counts()
    assert len(counts) == 20
    assert counts.between(45, 105).all()  # 75 of 300, four deviations


def test_of_equal_bytes_one_is_queued_and_readable_files_alone(labelled):
    queue = make_queue(labelled, by="random")
    names = set(queue.pathname)
    assert len(names & {"Photo/1.png", "Photo/copy.png"}) == 1
    assert "Text/broken.png" not in names
    assert len(names) == 16 + 16 + 6  # those of Photo_2 may be images, nobody has looked yet
    assert queue.score.isna().all()


def test_an_audit_of_other_files_with_the_same_names_is_not_believed(labelled, tmp_path):
    rows = pd.DataFrame({"pathname": ["Photo/1.png", "Photo/copy.png", "Photo/elsewhere.png"]})
    rows = rows.assign(score=0.5, decision="photo", status="used", reason="")
    path = tmp_path / "p.csv"
    write_table(rows.reindex(columns=list(PREDICTIONS.columns)), path, PREDICTIONS)
    assert len(make_queue(labelled, by="uncertainty", predictions=path)) == 3
    rows = rows.head(2)
    write_table(rows.reindex(columns=list(PREDICTIONS.columns)), path, PREDICTIONS)
    assert len(make_queue(labelled, by="uncertainty", predictions=path)) == 1


def test_the_unlabelled_come_from_each_folder_in_turn(labelled):
    queue = make_queue(labelled, by="unlabelled")
    folders = [Path(name).parent.name for name in queue.pathname]
    assert sorted(folders) == ["a"] * 3 + ["b"] * 3
    assert all(set(folders[i : i + 2]) == {"a", "b"} for i in (0, 2, 4))
    again = make_queue(labelled, by="unlabelled", images=2)
    pd.testing.assert_frame_equal(again, queue.head(2))


def test_an_archive_that_nobody_has_touched_is_queued_by_its_files(workspace, tmp_path):
    for i in range(4):
        write_image(tmp_path / "box" / str(i % 2) / f"{i}.png", seed=i)
    (tmp_path / "box" / "Thumbs.db").write_bytes(b"x")
    workspace.data.mkdir(parents=True)
    workspace.archive_note.write_text(str(tmp_path / "box"))
    for by in ("unlabelled", "random"):
        assert len(make_queue(workspace, by=by)) == 4


def test_suspects_come_in_their_order_with_their_scores(labelled, tmp_path):
    copy = Workspace(tmp_path / "copy")
    shutil.copytree(labelled.root, copy.root)
    with pytest.raises(TableError, match="photoclf check"):
        make_queue(copy, by="suspects")
    rows = pd.DataFrame({"pathname": ["Text/3.png", "Photo/copy.png", "Photo/1.png"]})
    rows = rows.assign(label=0, class_folder="", source="", score=[0.9, 0.8, 0.7])
    rows = rows.assign(label_quality=0.1, scored_by="x")[list(SUSPECTS.columns)]
    write_table(rows, copy.data / "suspects.csv", SUSPECTS)
    queue = make_queue(copy, by="suspects")
    assert queue.pathname.tolist() == ["Text/3.png", "Photo/copy.png"]
    assert queue.score.tolist() == [0.9, 0.8]


def test_drift_puts_what_is_least_like_the_training_images_first(labelled, tmp_path):
    copy = Workspace(tmp_path / "copy")
    shutil.copytree(labelled.root, copy.root)
    split = steps.split(copy, val_fraction=0.25, test_fraction=0.25)
    run = make_run(copy.models, split=split_hash(split))
    write_table(split, copy.split, SPLIT)
    folder = tmp_path / "box"
    for i in range(5):
        write_image(folder / f"{i}.png", seed=300 + i)
    Image.new("L", (400, 20), 255).save(folder / "blank.png")
    predictions = copy.reports / run.run_id / "predictions.csv"
    with pytest.raises(TableError, match="examined and have no label"):
        make_queue(copy, by="drift", predictions=predictions)
    audit_images(folder, out=predictions.parent / "audit_box.csv", workers=0)
    queue = make_queue(copy, by="drift", predictions=predictions)
    assert queue.pathname[0] == "blank.png"
    assert len(queue) == 6
    assert queue.score.isna().all()


def test_what_a_queue_cannot_be_made_of_is_told(workspace):
    with pytest.raises(ConfigError, match="Did you mean 'random'"):
        make_queue(workspace, by="randm")
    with pytest.raises(ConfigError, match="`images`"):
        make_queue(workspace, by="random", images=0)
    with pytest.raises(TableError, match=r"photoclf predict"):
        make_queue(workspace, by="uncertainty")
    with pytest.raises(TableError, match=r"photoclf predict"):
        make_queue(workspace, by="random", predictions=workspace.root / "none.csv")


def test_predictions_as_parquet_give_the_same_queue(workspace, tmp_path):
    pytest.importorskip("pyarrow")
    path = write_predictions(tmp_path / "p.csv", [0.1, 0.5, 0.9])
    told = make_queue(workspace, by="uncertainty", predictions=path)
    other = to_parquet(path, tmp_path / "p.parquet")
    again = make_queue(workspace, by="uncertainty", predictions=other)
    pd.testing.assert_frame_equal(again, told)


def write_note(path, run_id):
    Path(f"{path}.json").write_text(json.dumps({"made_with": {"run_id": run_id}}))


def test_the_scores_queued_are_those_of_the_run_that_is_named(workspace):
    runs = [make_run(workspace.models, seed=seed) for seed in (1, 2)]
    for run, score in zip(runs, (0.1, 0.9), strict=True):
        path = workspace.reports / run.run_id / "predictions.csv"
        path.parent.mkdir(parents=True)
        write_note(write_predictions(path, [score]), run.run_id)
    for run, score in zip(runs, (0.1, 0.9), strict=True):
        for by in ("uncertainty", "random"):
            assert make_queue(workspace, by=by, run=run).score.tolist() == [score]


def test_predictions_of_another_run_are_refused(workspace, tmp_path):
    run = make_run(workspace.models)
    path = write_predictions(tmp_path / "p.csv", [0.1, 0.9])
    assert len(make_queue(workspace, by="uncertainty", predictions=path, run=run)) == 2
    write_note(path, "another")
    with pytest.raises(TableError, match=r"Give run_id = 'another'"):
        make_queue(workspace, by="uncertainty", predictions=path, run=run)
    with pytest.raises(TableError, match=f"--model {run.run_id}"):
        make_queue(workspace, by="uncertainty", run=run)  # it has none


def test_the_folder_that_is_shown_is_queued_where_nothing_else_is_known_of_it(labelled, tmp_path):
    for i in range(3):
        write_image(tmp_path / "box" / f"{i}.png", seed=i)
    assert len(make_queue(Workspace(tmp_path), by="unlabelled", folder=tmp_path / "box")) == 3
    # An audit of another archive says nothing of it.
    assert len(make_queue(labelled, by="unlabelled", folder=tmp_path / "box")) == 3
    own = remembered_archive(labelled)
    assert len(make_queue(labelled, by="unlabelled", folder=own)) == 6


def test_a_queue_whose_files_are_elsewhere_is_refused_with_the_right_folder(labelled, tmp_path):
    archive = remembered_archive(labelled)
    rows = pd.DataFrame({"pathname": ["a/0.png", "b/1.png"], "score": 0.5, "decision": "photo"})
    rows = rows.assign(status="used", reason="")[list(PREDICTIONS.columns)]
    path = tmp_path / "p.csv"
    write_table(rows, path, PREDICTIONS)
    right = archive / "Photo_2"
    with pytest.raises(TableError, match=f"Give folder = {str(right)!r}"):
        make_queue(labelled, by="uncertainty", predictions=path, folder=archive)
    assert len(make_queue(labelled, by="uncertainty", predictions=path, folder=right)) == 2
    with pytest.raises(TableError, match="one that was predicted or examined"):
        make_queue(workspace_of(tmp_path), by="random", predictions=path, folder=tmp_path / "x/y")


def workspace_of(folder):
    return Workspace(folder / "nothing")


def test_a_queue_leads_nowhere_outside_the_folder_that_is_shown(workspace, tmp_path):
    rows = pd.DataFrame({"pathname": ["../secret.png"], "score": 0.5, "decision": "photo"})
    rows = rows.assign(status="used", reason="")[list(PREDICTIONS.columns)]
    write_table(rows, tmp_path / "p.csv", PREDICTIONS)
    write_image(tmp_path / "secret.png", seed=1)
    (tmp_path / "box").mkdir()
    with pytest.raises(TableError, match="inside it"):
        make_queue(workspace, by="random", predictions=tmp_path / "p.csv", folder=tmp_path / "box")


def test_what_is_surely_no_image_does_not_stand_in_a_queue(tmp_path):
    archive, workspace = tmp_path / "archive", Workspace(tmp_path / "ws")
    for i in range(4):
        write_image(archive / ("Photo", "Text")[i % 2] / f"{i}.png", seed=i)
    for name in ("groups.csv", "LISEZMOI.TXT", "Photo_2/list.xlsx", "Photo_2/odd.png"):
        (archive / name).parent.mkdir(exist_ok=True)
        (archive / name).write_text("pathname;group\n")
    listed = make_queue(workspace, by="unlabelled", folder=archive)
    assert set(listed.pathname) == {
        "Photo/0.png", "Text/1.png", "Photo/2.png", "Text/3.png", "Photo_2/odd.png",
    }  # fmt: skip
    steps.audit(workspace, archive)
    assert make_queue(workspace, by="unlabelled").pathname.tolist() == ["Photo_2/odd.png"]


def decide(workspace, who, name, label, sha256):
    LabelJournal(workspace.labels).append(
        who=who, pathname=name, sha256=sha256, label=label, source="random"
    )


def test_what_has_to_be_decided_again_is_queued_for_those_who_decided_it(labelled, tmp_path):
    workspace = Workspace(tmp_path / "copy")
    assert make_queue(workspace, by="conflicts").empty
    shutil.copytree(labelled.root, workspace.root)
    for who, said in (("anna", "photo"), ("ben", "Text"), ("carl", "unsure")):
        decide(workspace, who, "Text/1.png", said, "1" * 64)
        decide(workspace, who, "Text/2.png", "photo", "2" * 64)
    decide(workspace, "ben", "Text/3.png", "Txt", "3" * 64)
    queued = {
        who: make_queue(workspace, by="conflicts", who=who).pathname.tolist()
        for who in ("", "anna", "ben", "carl")
    }
    assert queued["anna"] == ["Text/1.png"]
    assert queued["ben"] == ["Text/1.png", "Text/3.png"] == queued[""]
    assert queued["carl"] == []
    decide(workspace, "ben", "Text/1.png", "photo", "1" * 64)
    decide(workspace, "ben", "Text/3.png", "Text", "3" * 64)
    assert make_queue(workspace, by="conflicts").empty


def test_by_drift_the_folder_s_own_predictions_give_the_scores(labelled, tmp_path):
    copy = Workspace(tmp_path / "copy")
    shutil.copytree(labelled.root, copy.root)
    split = steps.split(copy, val_fraction=0.25, test_fraction=0.25)
    run = make_run(copy.models, split=split_hash(split))
    folder = tmp_path / "box"
    for i in range(5):
        write_image(folder / f"{i:05d}.png", seed=300 + i)
    place = copy.reports / run.run_id
    place.mkdir(parents=True)
    audit_images(folder, out=place / "audit_box.csv", workers=0)
    write_predictions(place / "predictions.csv", [0.1] * 5)  # of the archive
    write_predictions(place / "predictions_box.csv", [0.7] * 5)
    queue = make_queue(copy, by="drift", run=run, folder=folder)
    assert queue.score.tolist() == [0.7] * 5
    with pytest.raises(TableError, match="below the folder that is shown"):
        make_queue(copy, by="drift", run=run, folder=remembered_archive(copy))
