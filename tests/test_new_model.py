"""A new model against an old one: the images of both, what flipped, and what is no comparison."""

import numpy as np
import pytest

from photoclf.errors import RunError
from photoclf.new_model import FEWEST_COMMON, MEASURES, compare_evaluations
from photoclf.runs import load_run
from tests.made_evaluations import draw_scores, draw_test, evaluated, make_evaluated
from tests.made_runs import make_run

TABLE = draw_test(240)
GOOD, BAD = draw_scores(TABLE, 2.5, 1), draw_scores(TABLE, 0.8, 2)


@pytest.fixture
def pair(tmp_path):
    return (
        make_evaluated(tmp_path, TABLE, GOOD, threshold=0.4),
        make_evaluated(tmp_path, TABLE, BAD, threshold=0.6),
    )


def test_every_figure_is_that_of_the_runs_own_evaluation(pair):
    compared = compare_evaluations(*pair, draws=50)
    for side, evaluation in (("new", compared.new), ("old", compared.old)):
        for measure in MEASURES:
            value = getattr(compared.changes[measure], side)
            assert value == pytest.approx(evaluation.figures["test"]["metrics"][measure])
        counts = evaluation.figures["test"]["confusion"]
        assert compared.folders[f"{side}_errors"].sum() == counts["fp"] + counts["fn"]


def test_swapped_models_turn_signs_mended_and_broken(pair):
    new, old = pair
    there, back = compare_evaluations(new, old, draws=50), compare_evaluations(old, new, draws=50)
    for measure in MEASURES:
        one, other = there.changes[measure].difference, back.changes[measure].difference
        assert (other.value, other.low, other.high) == (
            pytest.approx(-one.value),
            pytest.approx(-one.high),
            pytest.approx(-one.low),
        )
    assert there.flipped("mended").pathname.tolist() == back.flipped("broken").pathname.tolist()
    assert (there.verdict, back.verdict) == ("better", "worse")
    assert there.mcnemar_p == back.mcnemar_p < 0.05


def test_outcomes_count_each_image_once_and_explain_the_errors(pair):
    compared = compare_evaluations(*pair, draws=50)
    counts = {k: compared.count(k) for k in ("both_right", "mended", "broken", "both_wrong")}
    assert sum(counts.values()) == len(TABLE) == len(compared.images)
    folders = compared.folders
    assert folders.name.tolist() == ["Painting", "Photo", "Text"]
    assert (folders.old_errors - folders.mended + folders.broken).eq(folders.new_errors).all()
    sources = compared.worst_sources(most=100)
    assert sources.mended.sum() == counts["mended"]
    assert set(sources.name) <= {f"{f}/box_{i}" for f in folders.name for i in (0, 1)}


def test_flips_come_from_each_folder_in_turn_the_largest_jumps_first(pair):
    rows = compare_evaluations(*pair, draws=50).flipped("mended")
    folders = rows.class_folder.nunique()
    assert rows.class_folder.head(folders).nunique() == folders > 1
    for _, part in rows.groupby("class_folder"):
        assert (part.new_score - part.old_score).abs().is_monotonic_decreasing


def test_the_same_scores_cannot_be_told_apart(tmp_path):
    pair = [make_evaluated(tmp_path, TABLE, GOOD) for _ in range(2)]
    compared = compare_evaluations(*pair, draws=50)
    assert compared.verdict == "same"
    assert compared.mcnemar_p == 1
    assert compared.flipped_groups == len(compared.flipped("mended")) == 0
    assert compared.worst_sources().empty


def test_images_that_one_alone_was_measured_on_are_left_out_and_counted(tmp_path):
    some = TABLE.iloc[40:]
    new = make_evaluated(tmp_path, TABLE, GOOD, split="b" * 64)
    old = make_evaluated(tmp_path, some, BAD[40:])
    compared = compare_evaluations(new, old, draws=50)
    assert set(compared.images.pathname) == set(some.pathname)
    assert set(compared.left_out.pathname) == set(TABLE.pathname[:40])
    assert set(compared.left_out.tested_by) == {"new"}
    back = compare_evaluations(old, new, draws=50)
    assert set(back.left_out.tested_by) == {"old"}


def test_tests_with_too_little_in_common_are_refused_with_both_hashes(tmp_path):
    few = TABLE.iloc[: FEWEST_COMMON - 1]
    new = make_evaluated(tmp_path, TABLE, GOOD, split="b" * 64)
    old = make_evaluated(tmp_path, few, BAD[: len(few)], split="c" * 64)
    with pytest.raises(RunError) as error:
        compare_evaluations(new, old)
    for said in ("29 images in common", "- " + "c" * 64, "+ " + "b" * 64, new.run_id, old.run_id):
        assert said in str(error.value)


def test_a_small_test_that_both_share_is_compared_and_tells_nothing(tmp_path):
    few = TABLE.iloc[:12]
    pair = [make_evaluated(tmp_path, few, scores[:12]) for scores in (GOOD, BAD)]
    assert compare_evaluations(*pair, draws=50).verdict in ("same", "few")


def test_a_run_is_not_compared_with_itself(pair, tmp_path):
    with pytest.raises(RunError, match=f"Received: {pair[0].run_id} twice"):
        compare_evaluations(pair[0], load_run(tmp_path, pair[0].run_id))


def test_a_label_that_changed_between_the_evaluations_is_refused(tmp_path):
    other = TABLE.assign(label=TABLE.label.where(TABLE.index != 7, 1 - TABLE.label))
    new, old = (make_evaluated(tmp_path, t, GOOD) for t in (other, TABLE))
    with pytest.raises(RunError, match="the same label in both") as error:
        compare_evaluations(new, old)
    assert TABLE.pathname[7] in str(error.value)
    assert "(1 such images)" in str(error.value)


def test_a_run_that_was_not_evaluated_is_refused(pair, tmp_path):
    with pytest.raises(RunError, match="must have been evaluated"):
        compare_evaluations(pair[0], make_run(tmp_path))


@pytest.mark.parametrize("label", [0, 1])
def test_a_test_of_one_kind_of_image_allows_no_verdict(tmp_path, label):
    kind = TABLE[TABLE.label == label]
    pair = [make_evaluated(tmp_path, kind, scores[kind.index]) for scores in (GOOD, BAD)]
    compared = compare_evaluations(*pair, draws=50)
    assert compared.verdict == "untold"
    assert not np.isnan(compared.changes["accuracy"].difference.low)


def test_openings_count_other_runs_once_and_never_the_pair(pair):
    new, old = pair
    evaluated(new, TABLE, GOOD, openings=2, others=[old.run_id, "a", "b"])
    evaluated(old, TABLE, BAD, openings=3, others=[new.run_id, "b"])
    assert compare_evaluations(new, old, draws=20).openings() == (3, 2, 2)


def test_the_same_seed_gives_the_same_intervals_and_another_one_others(pair):
    one, same, other = (
        compare_evaluations(*pair, draws=50, seed=seed).changes for seed in (1, 1, 2)
    )
    assert one == same != other
