"""Evaluation of a stub that takes brightness for the score, on a small drawn archive."""

import shutil

import numpy as np
import pytest

from photoclf import results
from photoclf.alarms import find_alarms
from photoclf.errors import ConfigError, RunError, SplitError
from photoclf.evaluation import read_evaluation
from photoclf.files import read_json, write_json
from photoclf.findings import read_findings
from photoclf.operating import Prices
from photoclf.paths import Workspace
from photoclf.review_plan import Terms
from photoclf.risk_control import Promise, PromiseError
from photoclf.runs import load_run
from photoclf.schema import OPENINGS, SPLIT, SUSPECTS
from photoclf.tables import read_table, write_table
from photoclf.thresholds import ThresholdError, ThresholdRule
from tests.made_reports import draw_archive, evaluate_made, make_run, make_workspace


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("evaluated")
    draw_archive(place / "archive")
    return make_workspace(place / "workspace", place / "archive")


@pytest.fixture
def own(made, tmp_path):
    shutil.copytree(made.workspace.root, tmp_path / "own")
    workspace = Workspace(tmp_path / "own")
    run = load_run(workspace.models, made.run.run_id)

    def again(**asked):
        return evaluate_made(run, workspace, made.archive, **asked)

    again.run, again.workspace, again.archive = run, workspace, made.archive
    return again


def blurred(pixels):
    """Brightness that is half noise, so that the scores of both labels overlap."""
    noise = (pixels.astype(np.int64).sum(axis=(1, 2, 3)) * 7919) % 1000 / 1000
    return (0.5 * pixels.mean(axis=(1, 2, 3)) / 255 + 0.5 * noise).astype(np.float32)


def openings(run):
    return len(read_table(run.eval_folder / "openings.csv", OPENINGS))


def test_every_image_of_val_and_test_has_a_score_a_decision_and_an_end(made):
    evaluation = read_evaluation(made.run)
    rows = evaluation.predictions
    split = read_table(made.workspace.split, SPLIT)
    assert len(rows) == split.split.isin(["val", "test"]).sum()
    assert set(rows.decision) == {"photo", "other"}
    assert (rows.triage == evaluation.band.triage(rows.score)).all()
    assert ((rows.score >= evaluation.threshold) == (rows.decision == "photo")).all()


def test_a_rule_moves_the_threshold_and_is_recorded(own):
    bold = own(scores=blurred, rule=ThresholdRule("recall", 1.0))
    careful = own(scores=blurred, rule=ThresholdRule("precision", 1.0))
    assert bold.threshold < careful.threshold
    assert bold.figures["val"]["metrics"]["recall"] == 1
    assert careful.figures["val"]["metrics"]["precision"] == 1
    assert careful.figures["threshold_rule"] == "precision_at_least_1_on_val"


def test_what_cannot_be_kept_is_refused_before_the_test_is_opened(own):
    before = openings(own.run)
    with pytest.raises(PromiseError, match="can prove"):
        own(terms=Terms(promise=Promise(0.001, 0.001)))
    backwards = lambda pixels: 1 - (pixels.mean(axis=(1, 2, 3)) / 255).astype(np.float32)  # noqa: E731
    with pytest.raises(ThresholdError, match="is the highest"):
        own(scores=backwards, rule=ThresholdRule("precision", 1.0))
    assert openings(own.run) == before


def test_an_evaluation_of_an_earlier_version_has_to_be_made_again(own):
    path = own.run.eval_folder / "metrics.json"
    figures = read_json(path)
    for gone in ("review", "alarms", "predictions_sha256"):
        write_json(path, {k: v for k, v in figures.items() if k != gone})
        with pytest.raises(RunError, match="of an earlier version. Evaluate it again: photoclf"):
            read_evaluation(own.run)
    for spoilt in ("", "[]", "{"):
        path.write_text(spoilt)
        with pytest.raises(RunError, match="Evaluate it again"):
            read_evaluation(own.run)
    assert own().figures["split_hash"] == figures["split_hash"]
    write_json(path, figures)
    (own.run.eval_folder / "predictions.csv").write_text("pathname;split\n")
    with pytest.raises(RunError, match="Evaluate it again"):
        read_evaluation(own.run)


def test_each_opening_is_counted(own):
    assert own().figures["test_openings"] == openings(own.run) == 2


def test_a_promise_that_val_can_prove_is_kept_in_the_figures(own):
    evaluation = own(terms=Terms(promise=Promise(0.5, 0.5, confidence=0.6), photo_share=0.1,
                                 images=5000, prices=Prices(review_s=36, hour=10)))  # fmt: skip
    review = evaluation.figures["review"]
    assert review["by"] == "promise"
    asked = {"missed": 0.5, "false": 0.5, "confidence": 0.6, "candidates": 1}
    assert review["promise"] == asked
    assert (review["images"], review["photo_share_of"]) == (5000, "client")
    point = review["point"]
    assert point["hours"] == pytest.approx(point["reviewed"] / 100)
    assert sum(review["cells"].values()) == evaluation.figures["test"]["images"]
    assert {row["photo_share"] for row in review["prior"]} >= {0.01, 0.1, 0.9}


def test_hours_buy_the_cheapest_band_within_them(own):
    terms = Terms(hours=0.0)
    evaluation = own(terms=terms)
    assert evaluation.band.low == evaluation.band.high
    assert "review" not in set(evaluation.predictions.triage)
    rich = own(scores=blurred, terms=Terms(hours=1000, prices=Prices(missed=100, false=100)))
    assert rich.figures["review"]["point"]["reviewed"] > 0


def test_a_promise_and_hours_at_once_are_refused():
    with pytest.raises(ConfigError, match="both"):
        Terms(promise=Promise(0.1, 0.1), hours=3)
    for wrong in ({"hours": -1}, {"hours": float("inf")}, {"images": 0}, {"images": 10**400},
                  {"photo_share": 1.0}):  # fmt: skip
        with pytest.raises(ConfigError, match="Received"):
            Terms(**wrong)


def test_the_release_stands_beside_a_run_and_is_not_trained_on_these_images(made):
    release = read_evaluation(made.run).figures["baseline_release"]
    test = read_evaluation(made.run).figures["test"]
    assert (release["images"], release["left_out"]) == (test["images"], 0)
    assert 0 <= release["metrics"]["roc_auc"] <= 1


def test_errors_are_counted_by_what_images_are_like(made):
    evaluation = read_evaluation(made.run)
    test = evaluation.figures["test"]
    wrong = test["confusion"]["fp"] + test["confusion"]["fn"]
    for by in ("class_folder", "format", "size", "colour"):
        rows = evaluation.groups(by)
        assert sum(row["images"] for row in rows) == test["images"], by
        assert sum(row["errors"] for row in rows) == wrong, by
        for row in rows:
            assert row["missed"] + row["false"] == row["errors"]
            assert row["low"] <= row["rate"] <= row["high"]
    with pytest.raises(ConfigError, match="Did you mean 'source'"):
        evaluation.groups("sources")


def test_equal_scores_sound_the_alarm(own):
    flat = own(scores=lambda pixels: np.full(len(pixels), 0.5, np.float32))
    assert flat.figures["alarms"][0] == {"alarm": "equal_scores", "score": 0.5}


def test_decisions_no_better_than_chance_with_a_good_ranking_sound_the_alarm(made):
    figures = read_evaluation(made.run).figures
    off = {"roc_auc": 0.97, "accuracy": 0.6, "balanced_accuracy": 0.5}
    test = figures["test"] | {"metrics": figures["test"]["metrics"] | off}
    alarms = find_alarms(figures | {"test": test}, np.array([0.1, 0.9]))
    assert alarms[0] == {"alarm": "mismatch", "auc": 0.97, "accuracy": 0.6, "balanced": 0.5}
    on_purpose = {"test": test, "threshold_rule": "precision_at_least_0.99_on_val"}
    alarms = find_alarms(figures | on_purpose, np.array([0.1, 0.9]))
    assert "mismatch" not in {alarm["alarm"] for alarm in alarms}


def test_hours_that_do_not_suffice_sound_the_alarm(made):
    figures = read_evaluation(made.run).figures
    point = figures["review"]["point"] | {"hours": 3.0}
    review = figures["review"] | {"hours_allowed": 2.0, "point": point}
    alarms = find_alarms(figures | {"review": review}, np.array([0.1, 0.9]))
    assert {"alarm": "over_hours", "allowed": 2.0, "hours": 3.0} in alarms


def test_models_among_which_val_chose_weaken_what_it_proves(own, monkeypatch):
    assert own().figures["review"]["candidates"] == 1
    least = own().figures["review"]["least"]["photos"]
    make_run(own.workspace, read_table(own.workspace.split, SPLIT))
    review = own().figures["review"]
    assert review["candidates"] == 2
    assert review["least"]["photos"] > least


def test_what_was_measured_at_another_decision_is_forgotten(own):
    path = own.run.eval_folder / "stress.csv"
    path.write_text("something")
    own()
    assert path.exists()
    own(rule=ThresholdRule("recall", 1.0), scores=blurred)
    assert not path.exists()


def test_more_errors_than_promised_sound_the_alarm(made):
    figures = read_evaluation(made.run).figures
    rates = {"errors": 9, "images": 20, "groups_wrong": 9, "groups": 20}
    review = figures["review"] | {
        "promise": {"missed": 0.02, "false": None},
        "rates": {"missed": rates, "false": rates},
    }
    alarms = find_alarms(figures | {"review": review}, np.array([0.1, 0.9]))
    broken = [alarm for alarm in alarms if alarm["alarm"] == "promise_broken"]
    told = {"kind": "missed", "promised": 0.02, "errors": 9, "images": 20}
    assert broken == [{"alarm": "promise_broken"} | told]


def test_ways_to_work_stand_side_by_side(own):
    table = results.operating_table(own().figures)
    assert table.chosen.sum() >= 1
    assert table.loc["one threshold", "reviewed"] == 0
    assert table.loc["at most 0.5% wrong"].drop("chosen").isna().all()
    asked = Terms(promise=Promise(0.5, None, confidence=0.6))
    table = results.operating_table(own(terms=asked).figures)
    assert table.loc["asked for (promise)", "chosen"]


def test_suspected_labels_are_written_apart(made):
    suspects = read_table(made.run.eval_folder / "suspects.csv", SUSPECTS)
    assert len(suspects) == read_evaluation(made.run).figures["suspected_labels"]
    findings = read_findings(made.run, made.workspace, made.archive)
    assert findings.suspects.equals(suspects)


@pytest.mark.parametrize("side", ["val", "test"])
@pytest.mark.parametrize("label", [None, 1])
def test_a_split_without_a_side_or_its_photographs_is_refused(made, tmp_path, side, label):
    workspace = Workspace(tmp_path)
    shutil.copytree(made.workspace.data, workspace.data)
    split = read_table(workspace.split, SPLIT)
    gone = (split.split == side) & (label is None or split.label == label)
    split = split[~gone]
    write_table(split, workspace.split, SPLIT)
    run = make_run(workspace, split)
    with pytest.raises(SplitError, match=f"Received: {side} without"):
        evaluate_made(run, workspace, made.archive)
    assert not (run.eval_folder / "openings.csv").exists()
