"""A folder that nobody has sorted: on a workspace, in tables and in figures."""

import shutil

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from photoclf import steps
from photoclf.drift import Drift
from photoclf.errors import ConfigError
from photoclf.evaluate import evaluate, read_evaluation
from photoclf.files import sha256_file, write_json
from photoclf.folder_share import ON_LEFT_OUT, ON_TEST, estimate_shares
from photoclf.human_check import HumanCheck
from photoclf.messages import Messages
from photoclf.novelty import Novelty
from photoclf.paths import Workspace
from photoclf.plots_unlabelled import draw_shares, draw_shifts
from photoclf.prevalence import ShareEstimate
from photoclf.run import Run
from photoclf.runs import list_runs
from photoclf.schema import AUDIT, SPLIT
from photoclf.tables import read_table
from photoclf.unlabelled import audit_folder, folder_drift, folder_novelty, reference_images
from photoclf.unlabelled_tables import (
    check_summary,
    check_table,
    drift_summary,
    novelty_summary,
    share_table,
    stranger_titles,
)


@pytest.fixture(scope="module")
def evaluated(trained, tmp_path_factory):
    """A workspace whose tiny run was evaluated, and a folder to predict. Nothing is written."""
    copy = tmp_path_factory.mktemp("evaluated") / "ws"
    shutil.copytree(trained.root, copy)
    workspace = Workspace(copy)
    (run,) = list_runs(workspace.models)
    evaluate(run, workspace, draws=100)
    return workspace, run


@pytest.fixture
def folder(tmp_path):
    """Twelve readable pictures, one system file, one broken file."""
    place, generator = tmp_path / "box 1", np.random.default_rng(0)
    (place / "Dataset_L2").mkdir(parents=True)
    for i in range(12):
        pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        name = f"Dataset_L2/{i}.png" if i % 2 else f"{i}.png"
        Image.fromarray(pixels).resize((60, 60)).save(place / name)
    (place / "broken.png").write_bytes(b"")
    (place / "desktop.ini").write_text("x")
    return place


def predictions(photos=3, others=9, lost=1):
    decisions = ["photo"] * photos + ["other"] * others + [""] * lost
    return pd.DataFrame(
        {
            "pathname": [f"{i}.png" for i in range(len(decisions))],
            "score": [0.9] * photos + [0.1] * others + [np.nan] * lost,
            "decision": decisions,
            "status": ["used"] * (photos + others) + ["unreadable"] * lost,
            "reason": "",
        }
    )


def release_in(workspace, hashes, *, left_out=True):
    """A release as `release` writes it, in so far as it is read here."""
    folder = workspace.models / "release"
    folder.mkdir(parents=True)
    counts = {"tp": 90, "fn": 10, "fp": 5, "tn": 195}
    facts = {"threshold": 0.5, "temperature": 1.0, "threshold_rule": "x"}
    facts["test"] = {"confusion": counts}
    if left_out:
        worse = {"tp": 60, "fn": 40, "fp": 30, "tn": 170}
        facts["left_out"] = {"splits": [{"confusion": counts}, {"confusion": worse}] * 3}
    write_json(folder / "release.json", facts)
    (folder / "trained_on.txt").write_text("\n".join(hashes) + "\n")
    names = ("release.json", "trained_on.txt")
    write_json(folder / "done", {"sha256": {name: sha256_file(folder / name) for name in names}})
    return Run(folder)


def test_a_folders_audit_holds_every_file_whatever_its_folders_are_called(evaluated, folder):
    workspace, run = evaluated
    audit = audit_folder(workspace, folder, run)
    place = workspace.reports / run.run_id
    pd.testing.assert_frame_equal(audit, read_table(place / "audit_box 1.csv", AUDIT))
    assert audit.status.value_counts().to_dict() == {"used": 12, "unreadable": 1, "ignored": 1}
    assert audit.label.isna().all()
    assert not list(place.glob("*.journal"))
    before = workspace.audit.read_bytes()
    pd.testing.assert_frame_equal(audit_folder(workspace, folder, run), audit)
    assert workspace.audit.read_bytes() == before


def test_nothing_is_written_into_the_folder(evaluated, tmp_path):
    workspace, run = evaluated
    with pytest.raises(ConfigError, match="The folder's audit must go outside"):
        audit_folder(workspace, workspace.root, run)


def test_an_evaluated_run_is_adjusted_by_its_own_test(evaluated):
    found = estimate_shares(evaluated[1], predictions(), draws=100)
    test = read_evaluation(evaluated[1]).figures["test"]["metrics"]
    assert list(found) == [ON_TEST]
    assert (found[ON_TEST].images, found[ON_TEST].called) == (12, 0.25)
    assert found[ON_TEST].recall == test["recall"]
    assert found[ON_TEST].false_alarms == pytest.approx(1 - test["specificity"])


def test_a_run_that_was_not_evaluated_says_so(trained):
    (run,) = list_runs(trained.models)
    estimate = estimate_shares(run, predictions())[ON_TEST]
    assert f"photoclf evaluate --run {run.run_id}" in estimate.problem
    assert np.isnan(estimate.share)
    assert (estimate.low, estimate.high, estimate.called) == (0, 1, 0.25)


def test_a_folder_without_a_decision_says_so(evaluated):
    estimate = estimate_shares(evaluated[1], predictions(0, 0, 3))[ON_TEST]
    assert estimate.problem == "No file has a decision."
    assert estimate.images == 0


def test_a_release_alone_knows_its_errors_on_its_test_and_on_sources_never_seen(tmp_path):
    run = release_in(Workspace(tmp_path), [])
    found = estimate_shares(run, predictions(300, 700, 0))
    on_test, left_out = found[ON_TEST], found[ON_LEFT_OUT]
    assert (on_test.recall, on_test.false_alarms) == (0.9, 0.025)
    assert (left_out.recall, left_out.false_alarms) == (0.75, 0.0875)
    # Six splits in two minds tell less than a thousand images that agree.
    assert left_out.high - left_out.low > 1.5 * (on_test.high - on_test.low)


def test_a_release_without_left_out_sources_has_one_estimate(tmp_path):
    run = release_in(Workspace(tmp_path), [], left_out=False)
    assert list(estimate_shares(run, predictions())) == [ON_TEST]


def test_a_run_is_compared_with_its_train_images_and_calibrated_on_val(evaluated):
    workspace, run = evaluated
    split = read_table(workspace.split, SPLIT)
    found = reference_images(workspace, run)
    sides = {"train": found.training, "val": found.spare}
    for side, rows in sides.items():
        assert set(rows.pathname) == set(split.pathname[split.split == side])
    assert found.problem == ""


def test_a_release_is_compared_with_the_images_that_it_recorded(trained, tmp_path):
    workspace = Workspace(tmp_path)
    workspace.data.mkdir()
    shutil.copy(trained.audit, workspace.audit)
    audit = read_table(workspace.audit, AUDIT)
    used = audit[audit.status == "used"].sort_values("pathname")
    found = reference_images(workspace, release_in(workspace, used.sha256.str[:16][:20]))
    assert set(found.training.pathname) == set(used.pathname[:20])
    assert not set(found.spare.group) & set(found.training.group)
    assert len(found.spare)


def test_without_the_training_archive_drift_and_flags_are_said_to_be_unknown(
    trained, tmp_path, folder
):
    bare = Workspace(tmp_path)
    run = release_in(bare, ["0" * 16])
    examined = audit_folder(bare, folder, run)
    nowhere = reference_images(bare, run)
    assert "the workspace has no audit" in nowhere.problem
    bare.data.mkdir()
    shutil.copy(trained.audit, bare.audit)
    elsewhere = reference_images(bare, run)
    assert "Its archive isn't this workspace's" in elsewhere.problem
    for reference in (nowhere, elsewhere):
        drift = folder_drift(run, reference, examined, predictions())
        assert drift.problem == reference.problem
        strangers, found = folder_novelty(reference, examined)
        assert strangers.empty
        assert stranger_titles(strangers) == []
        assert found is None


def test_a_workspace_without_the_runs_split_says_so_and_goes_on(evaluated, tmp_path):
    workspace, run = evaluated
    other = Workspace(tmp_path)
    other.data.mkdir()
    shutil.copy(workspace.audit, other.audit)
    assert "must have been trained on one of" in reference_images(other, run).problem


def test_pictures_of_noise_drift_and_are_the_strangest(evaluated, folder):
    workspace, run = evaluated
    examined, reference = audit_folder(workspace, folder, run), reference_images(workspace, run)
    drift = folder_drift(run, reference, examined, predictions())
    assert drift.folder == 12
    assert "score" in set(drift.shifts.feature)
    assert drift.classifiers.differs.any()
    strangers, found = folder_novelty(reference, examined)
    assert len(strangers) == 12
    assert strangers.p.is_monotonic_increasing
    assert strangers.p.iloc[0] == 1 / (reference.spare.group.nunique() + 1)
    assert found.least > 1
    titles = stranger_titles(strangers.assign(flagged=[True] + [False] * 11))
    assert titles[0] == f"p = {strangers.p.iloc[0]:.3f} ⚑"
    assert "⚑" not in titles[1]


def estimates():
    return {
        ON_TEST: ShareEstimate(50, 0.3, 0.25, 0.2, 0.32, 0.9, 0.1),
        ON_LEFT_OUT: ShareEstimate(50, 0.3, np.nan, 0.0, 1.0, 0.5, 0.5, "They say nothing."),
    }


def test_all_that_is_known_of_the_share_stands_in_one_table():
    check = HumanCheck(50, 20, 0, share=(0.3, 0.2, 0.4), contradicts=())
    table = share_table(estimates(), check).set_index("name")
    assert table.index.to_list() == ["called", ON_TEST, ON_LEFT_OUT, "human"]
    assert table.loc["called", ["share", "low", "high"]].to_list() == [0.3, 0.3, 0.3]
    assert table.loc["human", ["share", "low", "high"]].to_list() == [0.3, 0.2, 0.4]
    assert table.problem[ON_LEFT_OUT] == "They say nothing."
    unfinished = share_table(estimates(), HumanCheck(50, 20, 4)).iloc[-1]
    assert "4 of 20 labels are missing" in unfinished.problem
    assert list(share_table(estimates()).name) == ["called", ON_TEST, ON_LEFT_OUT]


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (HumanCheck(50, 0, 0), "no file has a score"),
        (HumanCheck(50, 20, 4), "4 of 20 labels are missing"),
        (HumanCheck(50, 20, 0, contradicts=()), "agree with it"),
        (HumanCheck(50, 20, 0, contradicts=("share", "false_alarms")), "share and false alarms"),
        (HumanCheck(50, 20, 0), "no adjusted estimate"),
    ],
)
def test_a_check_says_how_far_it_is_and_what_it_means(check, said):
    assert said in check_summary(check).replace("\n", " ")
    assert check_table(check).index.to_list() == ["share", "precision", "recall", "false_alarms"]


def test_flags_that_could_not_have_been_raised_are_not_praised():
    found = Novelty(np.ones(5), np.zeros(5, bool), least=9)
    assert "None could have been" in novelty_summary("", found)
    assert "At least 3 must be" in novelty_summary("", Novelty(np.ones(5), np.ones(5, bool), 3))
    assert "No image can be flagged. Why." in novelty_summary("Why.", None)
    assert "Drift can't be measured. Why." in drift_summary(Drift(problem="Why."))


def shifts():
    return pd.DataFrame(
        {
            "feature": ["width", "format", "score"],
            "kind": ["file", "file", "score"],
            "distance": [0.9, 0.4, 0.1],
            "p": [0.001, 0.04, 1.0],
            "training": [1227.0, "JPEG", 0.123],
            "folder": [2400.0, "PNG", 0.5],
            "differs": [True, True, False],
        }
    )


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_figures_name_every_row_in_their_language(lang):
    words = Messages(lang)
    shares = draw_shares(Figure().subplots(), share_table(estimates()), words=words)
    labels = [label.get_text() for label in shares.get_yticklabels()]
    assert labels == [words("share.called"), words("share.on_test")]  # the unknown isn't drawn
    assert words.percent(0.25) in " ".join(text.get_text() for text in shares.texts)
    bars = draw_shifts(Figure().subplots(), shifts(), words=words)
    labels = [label.get_text() for label in bars.get_yticklabels()]
    assert labels == [words(f"shift.{name}") for name in ("width", "format", "score")]
    texts = [text.get_text() for text in bars.texts]
    assert texts[0] == f"{words.number(1227)} → {words.number(2400)}"
    assert texts[1] == "JPEG → PNG"
    colours = {mpl.colors.to_hex(bar.get_facecolor()) for bar in bars.patches}
    assert len(colours) == 2


def test_every_property_and_every_share_has_words(evaluated, folder):
    workspace, run = evaluated
    examined, reference = audit_folder(workspace, folder, run), reference_images(workspace, run)
    drift = folder_drift(run, reference, examined, predictions())
    for lang in ("fr", "en"):
        assert draw_shifts(Figure().subplots(), drift.shifts, words=Messages(lang)).patches


def test_nothing_to_draw_is_said():
    nothing = share_table({ON_TEST: ShareEstimate(0, *[np.nan] * 2, 0, 1, *[np.nan] * 2, "x")})
    for ax in (
        draw_shares(Figure().subplots(), nothing),
        draw_shifts(Figure().subplots(), Drift().shifts),
    ):
        assert ax.texts[0].get_text() == "no data"


def test_the_release_that_comes_with_the_project_has_both_estimates(tmp_path):
    run = steps.find_run_named(Workspace(tmp_path), "release")
    found = estimate_shares(run, predictions(30, 70, 0), draws=200)
    assert list(found) == [ON_TEST, ON_LEFT_OUT]
    assert not any(estimate.problem for estimate in found.values())
