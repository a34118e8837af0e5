from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from photoclf.errors import TableError
from photoclf.finite_sample import hypergeometric_interval
from photoclf.human_check import draw_sheet, judge_sheet, read_sheet, wanted_size
from photoclf.intervals import exact_interval
from photoclf.prevalence import ShareEstimate, estimate_share
from photoclf.schema import CHECK_SHEET
from photoclf.tables import write_table

FILES = 40

THRESHOLD = 0.5


def estimate(share=0.5, low=0.4, high=0.6):
    return ShareEstimate(FILES, 0.5, share, low, high, 0.9, 0.1)


@pytest.fixture
def predictions():
    scores = np.linspace(0, 1, FILES)
    frame = pd.DataFrame(
        {
            "pathname": [f"boîte;{i}/é {i:02}.png" for i in range(FILES)],
            "score": scores,
            "decision": np.where(scores >= 0.5, "photo", "other"),
            "status": "used",
            "reason": "",
        }
    )
    lost = {"pathname": "lost.png", "score": np.nan, "decision": "", "status": "unreadable"}
    return pd.concat([frame, pd.DataFrame([lost | {"reason": "empty"}])], ignore_index=True)


def fill(path, labels):
    """Write labels as a person does: in place of the empty ends of rows."""
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    filled = [row + label for row, label in zip(rows, labels, strict=True)]
    path.write_text("\n".join([head, *filled]) + "\n", encoding="utf-8")


def test_a_sheet_holds_scored_files_once_in_random_order_to_be_filled_in(tmp_path, predictions):
    path = tmp_path / "sheet.csv"
    sheet = draw_sheet(path, predictions, 25, seed=1)
    assert path.read_text(encoding="utf-8").startswith("pathname;score;decision;label\n")
    assert len(set(sheet.pathname)) == len(sheet) == 25
    assert "lost.png" not in set(sheet.pathname)
    assert (sheet.label == "").all()
    assert not sheet.score.is_monotonic_increasing
    known = predictions.set_index("pathname")
    assert (known.decision[sheet.pathname].to_numpy() == sheet.decision.to_numpy()).all()


def test_the_seed_alone_decides_and_a_longer_sheet_begins_with_the_shorter(tmp_path, predictions):
    shuffled = predictions.sample(frac=1, random_state=0)
    first = draw_sheet(tmp_path / "a.csv", predictions, 10, seed=1)
    longer = draw_sheet(tmp_path / "b.csv", shuffled, 20, seed=1)
    other = draw_sheet(tmp_path / "c.csv", predictions, 10, seed=2)
    assert longer.pathname[:10].to_list() == first.pathname.to_list()
    assert set(other.pathname) != set(first.pathname)


def test_each_file_is_drawn_equally_often(tmp_path, predictions):
    drawn = pd.concat(
        draw_sheet(tmp_path / f"{seed}.csv", predictions, 10, seed) for seed in range(200)
    )
    counts = drawn.pathname.value_counts()
    assert len(counts) == FILES
    # 50 each, with the spread of a binomial: 6.1.
    assert abs(counts - 50).max() < 4 * 6.1


def test_an_unlabelled_sheet_is_drawn_anew_and_a_labelled_one_never(tmp_path, predictions):
    path = tmp_path / "sheet.csv"
    draw_sheet(path, predictions, 10, seed=1)
    assert len(draw_sheet(path, predictions, 12, seed=1)) == 12
    fill(path, ["photo"] + [""] * 11)
    before = path.read_bytes()
    kept = draw_sheet(path, predictions, 30, seed=2)
    assert path.read_bytes() == before
    assert kept.label.to_list() == ["photo"] + [""] * 11


@pytest.mark.parametrize(
    "content", ["notes of a person", "pathname,score,decision,label\na,1,b,c\n", ""]
)
def test_a_file_of_another_kind_is_left_as_it_is(tmp_path, predictions, content):
    path = tmp_path / "sheet.csv"
    path.write_text(content)
    with pytest.raises(TableError):
        draw_sheet(path, predictions, 10, seed=1)
    assert path.read_text() == content


def test_a_sheet_is_read_however_a_spreadsheet_saved_it(tmp_path, predictions):
    path = tmp_path / "sheet.csv"
    sheet = draw_sheet(path, predictions, 3, seed=1)
    fill(path, [" Photo", "OTHER ", "photo"])
    text = path.read_text(encoding="utf-8").replace("0.", "0,") + ";;;\n;;;\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    read = read_sheet(path)
    assert read.label.to_list() == ["photo", "other", "photo"]
    assert read.pathname.to_list() == sheet.pathname.to_list()


def test_a_mistyped_label_is_named_with_its_row_and_what_is_allowed(tmp_path, predictions):
    path = tmp_path / "sheet.csv"
    draw_sheet(path, predictions, 5, seed=1)
    fill(path, ["photo", "other", "phto", "", "autre"])
    with pytest.raises(TableError) as caught:
        read_sheet(path)
    said = str(caught.value)
    assert "one of ('photo', 'other')" in said
    assert "'phto' in row 4" in said
    assert "2 such rows" in said
    assert "Did you mean 'photo'?" in said
    with pytest.raises(TableError, match="row 4"):  # nor is it drawn anew over what was typed
        draw_sheet(path, predictions, 5, seed=1)


def test_a_partly_filled_sheet_estimates_nothing_and_tells_how_much_is_missing(
    tmp_path, predictions
):
    path = tmp_path / "sheet.csv"
    draw_sheet(path, predictions, 10, seed=1)
    fill(path, ["photo"] * 7 + [""] * 3)
    check = judge_sheet(read_sheet(path), predictions, 1, THRESHOLD, estimate())
    assert (check.images, check.missing, check.contradicts) == (10, 3, None)
    for figure in (check.share, check.precision, check.recall):
        assert np.isnan(figure[0])
        assert figure[1:] == (0, 1)


def test_a_filled_sheet_has_exact_intervals(tmp_path, predictions):
    path = tmp_path / "sheet.csv"
    sheet = draw_sheet(path, predictions, 20, seed=1)
    labels = ["photo"] * 6 + ["other"] * 14
    fill(path, labels)
    check = judge_sheet(read_sheet(path), predictions, 1, THRESHOLD, estimate())
    low, high = hypergeometric_interval(6, 20, FILES)
    assert check.share == (0.3, low / FILES, high / FILES)
    called = int((sheet.decision == "photo").sum())
    right = int((sheet.decision[:6] == "photo").sum())
    low, high = hypergeometric_interval(right, called, FILES // 2)
    assert check.precision == (right / called, low / (FILES // 2), high / (FILES // 2))
    assert check.recall == (right / 6, *exact_interval(right, 6))
    assert (check.population, check.missing) == (FILES, 0)


@pytest.mark.parametrize(
    ("low", "high", "contradicts"),
    [(0.4, 0.6, ()), (0.9, 1.0, ("share",)), (0.0, 0.05, ("share",))],
)
def test_an_adjusted_estimate_is_contradicted_when_the_intervals_dont_meet(
    tmp_path, predictions, low, high, contradicts
):
    path = tmp_path / "sheet.csv"
    draw_sheet(path, predictions, 30, seed=1)
    fill(path, ["photo", "other"] * 15)
    sheet = read_sheet(path)
    assert (
        judge_sheet(sheet, predictions, 1, THRESHOLD, estimate(low, low, high)).contradicts
        == contradicts
    )
    assert judge_sheet(sheet, predictions, 1, THRESHOLD, estimate(np.nan, 0, 1)).contradicts is None
    assert judge_sheet(sheet, predictions, 1, THRESHOLD).contradicts is None


def test_a_share_that_is_right_by_chance_does_not_hide_wrong_errors(tmp_path, predictions):
    path = tmp_path / "sheet.csv"
    draw_sheet(path, predictions, FILES, seed=1)
    fill(path, ["photo", "other"] * (FILES // 2))  # half of them, as is called, but others
    sure = replace(estimate(), recall_interval=(0.95, 0.99), false_alarms_interval=(0.01, 0.05))
    check = judge_sheet(read_sheet(path), predictions, 1, THRESHOLD, sure)
    assert check.share[0] == 0.5
    assert check.contradicts == ("recall", "false_alarms")


@pytest.mark.parametrize("shift", [0, 1])
def test_errors_like_the_tests_are_seldom_contradicted(tmp_path, predictions, shift):
    generator, apart = np.random.default_rng(0), []
    many = pd.concat([predictions[:FILES]] * 10, ignore_index=True)
    many["pathname"] = [f"{i}.png" for i in range(len(many))]
    labels = np.repeat([1, 0], 500)
    for seed in range(60):
        decided = np.where(generator.random(1000) < 0.9, labels, 1 - labels)
        is_photo = generator.random(len(many)) < 0.5
        wrong = generator.random(len(many)) < 0.1 + 0.2 * shift
        many["score"] = np.where(is_photo ^ wrong, 1.0, 0.0)
        found = estimate_share(many.score == 1, labels, decided, range(1000), draws=200)
        sheet = draw_sheet(tmp_path / f"{seed}.csv", many, 150, seed)
        photo = sheet.pathname.map(dict(zip(many.pathname, is_photo, strict=True)))
        sheet["label"] = np.where(photo, "photo", "other")
        apart.append(bool(judge_sheet(sheet, many, seed, THRESHOLD, found).contradicts))
    assert (np.mean(apart) > 0.9) if shift else (np.mean(apart) <= 0.05)


def test_without_a_photograph_in_the_sample_recall_is_not_known(tmp_path, predictions):
    path = tmp_path / "sheet.csv"
    draw_sheet(path, predictions, 8, seed=1)
    fill(path, ["other"] * 8)
    check = judge_sheet(read_sheet(path), predictions, 1, THRESHOLD)
    assert check.share[:2] == (0, 0)
    assert check.precision[0] == 0
    assert np.isnan(check.recall[0])


def test_rows_that_were_removed_swapped_or_doubled_make_no_random_sample(tmp_path, predictions):
    path = tmp_path / "sheet.csv"
    sheet = draw_sheet(path, predictions, 10, seed=1).assign(label="photo")
    stranger = sheet.assign(pathname=["new.png", *sheet.pathname[1:]])
    for spoilt in (sheet.drop(index=2), stranger, pd.concat([sheet[:9], sheet[:1]])):
        write_table(spoilt, path, CHECK_SHEET)
        with pytest.raises(TableError, match="must hold the .* files that the seed 1 draws"):
            judge_sheet(read_sheet(path), predictions, 1, THRESHOLD)
    with pytest.raises(TableError, match="seed 2 draws"):
        judge_sheet(sheet, predictions, 2, THRESHOLD)


def test_the_size_is_that_of_the_worst_share_that_is_expected(predictions):
    sizes = [
        wanted_size(predictions, 0.1, estimate(low, low, high))
        for low, high in ((0.0, 0.05), (0.1, 0.3), (0.3, 0.9))
    ]
    assert sizes == sorted(sizes)
    assert 1 <= sizes[0] < sizes[-1] <= FILES
    assert wanted_size(predictions[predictions.decision == ""], 0.1, estimate()) == 0


def test_an_empty_folder_has_an_empty_sheet(tmp_path, predictions):
    nothing = predictions[predictions.decision == ""]
    sheet = draw_sheet(tmp_path / "sheet.csv", nothing, 0, seed=1)
    check = judge_sheet(sheet, nothing, 1, THRESHOLD)
    assert (check.population, check.images, check.missing) == (0, 0, 0)
