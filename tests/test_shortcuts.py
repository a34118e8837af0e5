import numpy as np
import pandas as pd
import pytest

from photoclf.crossfit import grouped_folds, planned_scores
from photoclf.errors import PhotoclfError
from photoclf.files import write_json
from photoclf.results import shortcut_summary, shortcut_tables
from photoclf.schema import AUDIT
from photoclf.shortcuts import (
    PROPERTIES,
    check_shortcuts,
    file_properties,
    is_high,
    shortcut_baseline,
)


def make_audit(photo_format="JPEG", other_format="JPEG", images=120, seed=0, **columns):
    """List images of two classes whose sizes are drawn alike."""
    rng = np.random.default_rng(seed)
    label = np.arange(images) % 2
    rows = pd.DataFrame({name: [""] * images for name in AUDIT.columns})
    names = [f"{'Photo' if y else 'Text'}/box/{i:03d}.x" for i, y in enumerate(label)]
    return rows.assign(
        pathname=names,
        status="used",
        class_folder=np.where(label == 1, "Photo", "Text"),
        source="box",
        label=pd.array(label, "Int64"),
        bytes=rng.integers(1000, 9000, images),
        format=np.where(label == 1, photo_format, other_format),
        mode="RGB",
        width=pd.array(rng.integers(50, 200, images), "Int64"),
        height=pd.array(rng.integers(50, 200, images), "Int64"),
        exif=pd.array([0] * images, "Int64"),
        exif_orientation=pd.array([None] * images, "Int64"),
        grayscale=1.0,
        group=names,
        label_conflict=False,
        **columns,
    )


def make_split(audit):
    side = np.array(["train", "train", "val", "val", "test", "test"])[np.arange(len(audit)) % 6]
    return audit[["pathname", "label", "class_folder", "source", "group"]].assign(split=side)


def test_a_format_that_only_photographs_have_is_found_and_warned_of():
    figures = check_shortcuts(make_audit("JPEG", "PNG"), draws=100)
    assert figures["metrics"]["f1"] == 1
    assert figures["high"]
    assert figures["features"][0]["feature"] == "encoding"
    assert figures["features"][0]["auc_lost_without"] > 0.4
    assert "WARNING" in shortcut_summary(figures)


def test_files_that_say_nothing_of_the_class_give_no_warning():
    figures = check_shortcuts(make_audit(), draws=100)
    assert figures["metrics"]["roc_auc"] < 0.7
    assert not figures["high"]
    assert "give little away" in shortcut_summary(figures)


@pytest.mark.parametrize(
    ("auc", "low", "high"),
    [(0.9, 0.7, True), (0.8, 0.51, True), (0.79, 0.75, False), (0.9, 0.4, False)],
)
def test_the_warning_needs_a_high_score_that_is_no_chance(auc, low, high):
    assert is_high({"metrics": {"roc_auc": auc}, "intervals": {"roc_auc": [low, 1.0]}}) is high


def test_a_score_without_an_interval_is_no_warning():
    assert not is_high({"metrics": {"roc_auc": None}, "intervals": {"roc_auc": [None, None]}})


def test_look_alikes_are_never_both_learned_from_and_measured():
    audit = make_audit(images=200, seed=1)
    twins = audit.copy()
    twins["pathname"] = twins.pathname.str.replace("box/", "box/twin_")
    both = pd.concat([audit, twins], ignore_index=True)  # twins share size, weight and group
    assert check_shortcuts(both, draws=100)["metrics"]["roc_auc"] < 0.7
    alone = both.assign(group=both.pathname)
    assert check_shortcuts(alone, draws=100)["metrics"]["roc_auc"] > 0.8


def test_each_sub_folder_tells_what_its_files_have_in_common():
    audit = make_audit("JPEG", "PNG").assign(width=pd.array([64] * 120, "Int64"), height=64)
    rows = {row["class_folder"]: row for row in check_shortcuts(audit, draws=100)["sources"]}
    assert rows["Photo"]["trait"] == "JPEG RGB 64 × 64"
    assert rows["Text"]["with_trait"] == rows["Text"]["images"] == rows["Text"]["recognised"]
    assert rows["Photo"]["of_this_label"] == 1


def test_greyness_is_content_and_measured_apart():
    audit = make_audit()
    audit["grayscale"] = (audit.label == 1).astype(float)
    figures = check_shortcuts(audit, draws=100)
    assert figures["metrics"]["roc_auc"] < 0.7
    assert figures["with_grayscale"]["roc_auc"] == 1
    assert "grayscale" not in file_properties(audit).columns


def test_the_properties_are_those_that_are_judged_together():
    assert [name for names in PROPERTIES.values() for name in names] == list(
        file_properties(make_audit()).columns
    )


def test_images_that_a_split_would_not_take_are_left_out():
    audit = make_audit("JPEG", "PNG")
    audit.loc[0, "status"] = "duplicate"
    audit.loc[1, "label_conflict"] = True
    audit.loc[2, "label"] = pd.NA
    assert check_shortcuts(audit, draws=100)["images"] == 117


def test_the_baseline_is_measured_on_the_splits_test_alone():
    audit = make_audit("JPEG", "PNG")
    split = make_split(audit)
    figures = shortcut_baseline(audit.sample(frac=1, random_state=0), split, draws=100)
    assert figures["images"] == (split.split == "test").sum()
    assert figures["confusion"] == {"tp": 20, "fp": 0, "fn": 0, "tn": 20}


def test_what_the_test_says_does_not_change_the_baselines_threshold():
    audit = make_audit()
    split = make_split(audit)
    turned = split.assign(label=split.label.where(split.split != "test", 1 - split.label))
    thresholds = [shortcut_baseline(audit, s, draws=100)["threshold"] for s in (split, turned)]
    assert thresholds[0] == thresholds[1]


def test_a_split_of_another_archive_is_refused():
    audit = make_audit()
    split = make_split(audit)
    with pytest.raises(PhotoclfError, match=r"lacks, such as 'Text/box/000\.x'"):
        shortcut_baseline(audit.iloc[1:], split)


def test_a_class_without_two_groups_is_refused():
    audit = make_audit()
    audit["group"] = np.where(audit.label == 1, "one", audit.pathname)
    with pytest.raises(PhotoclfError, match="at least two groups"):
        check_shortcuts(audit)


def test_the_figures_are_the_same_again_and_fit_into_json(tmp_path):
    audit = make_audit("JPEG", "PNG")
    first, again = (check_shortcuts(audit, draws=100) for _ in range(2))
    assert first == again
    write_json(tmp_path / "shortcuts.json", first)


def test_tables_give_shares_the_most_telling_first():
    features, sources = shortcut_tables(check_shortcuts(make_audit("JPEG", "PNG"), draws=100))
    assert features.roc_auc.is_monotonic_decreasing
    assert features["columns"][0] == "format, mode, exif"
    assert sources.recognised.tolist() == [1, 1]


def test_more_formats_than_a_classifier_takes_are_no_obstacle():
    audit = make_audit(images=600)
    audit["mode"] = [f"M{i}" for i in range(600)]
    assert file_properties(audit)["mode"].nunique() == 51
    assert check_shortcuts(audit, draws=100)["images"] == 600


def test_no_row_is_scored_by_a_model_that_was_fitted_to_its_group():
    labels = np.arange(40) % 2
    groups = [f"g{i // 4}" for i in range(40)]
    plan = grouped_folds(labels, groups, 5)
    for fitted, scored in plan:
        assert not {groups[i] for i in fitted} & {groups[i] for i in scored}
    assert sorted(i for _, scored in plan for i in scored) == list(range(40))


def test_rows_that_no_part_of_a_plan_scores_have_no_score():
    from sklearn.linear_model import LogisticRegression

    features, labels = np.arange(8.0)[:, None], np.arange(8) % 2
    plan = [(np.arange(4), np.array([4, 5]))]
    scores = planned_scores(LogisticRegression(), features, labels, plan)
    assert np.isnan(scores).tolist() == [True] * 4 + [False] * 2 + [True] * 2


def test_an_archive_of_forty_images_is_not_declared_clean_because_it_is_small():
    figures = check_shortcuts(make_audit("JPEG", "PNG", images=40), draws=100)
    assert "WARNING" in shortcut_summary(figures)
