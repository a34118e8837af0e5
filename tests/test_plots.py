import copy
import io
import subprocess
import sys
import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from photoclf import look, plots_archive, plots_paired, plots_runs, plots_scores, plots_sweep
from photoclf.errors import TableError
from photoclf.events import smooth
from photoclf.look import shorten
from photoclf.messages import Messages, wording

PLOTS = {
    **vars(plots_archive),
    **vars(plots_paired),
    **vars(plots_runs),
    **vars(plots_scores),
    **vars(plots_sweep),
}
HOSTILE = ["a$b$c_{", "\udc80\udcff", "line\nbreak\t", r"\frac{1}{", "é" * 300, ""]


def image(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def events(runs=3, epochs=5, tag="val_loss"):
    rows = [
        (f"20300101-00000{r}_compact_cnn_{r:08x}", tag, e, 1.0 * e, 1 / (1 + e) + r / 10)
        for r in range(runs)
        for e in range(epochs)
    ]
    return pd.DataFrame(rows, columns=["run", "tag", "step", "wall_time_s", "value"])


def audit(names=("Photo", "Text")):
    n = len(names)
    return pd.DataFrame(
        {
            "class_folder": list(names),
            "width": pd.array([100 + 10 * i for i in range(n)], dtype="Int64"),
            "height": pd.array([80 + 10 * i for i in range(n)], dtype="Int64"),
        }
    )


def rates(names=("Photo", "Text")):
    n = len(names)
    return pd.DataFrame(
        {"name": list(names), "rate": [0.1] * n, "low": [0.05] * n, "high": [0.3] * n}
    ).assign(images=range(10, 10 + n))


def layers(numbers=(0, 900, 18000)):
    return pd.DataFrame(
        {"layer": [f"layer_{i}" for i in range(len(numbers))], "parameters": numbers}
    )


def runs(n=4):
    values = np.linspace(0.2, 0.5, 2 * n)
    return pd.DataFrame({"run_id": [f"run {i}" for i in range(2 * n)], "val_loss": values})


def points(n=4):
    return pd.DataFrame(
        {
            "rank": range(1, n + 1),
            "runs": 2,
            "filters": ["8,16", "16,32"] * (n // 2) + ["none"] * (n % 2),
            "learning_rate": 10.0 ** -np.arange(1, n + 1),
            "mean": np.linspace(0.2, 0.5, n),
            "flops": np.linspace(5e6, 1e6, n),
            "parameters": np.linspace(5e4, 1e3, n).astype(int),
            "duration_s": np.linspace(9, 30, n),
            "run_ids": [[f"run {2 * i}", f"run {2 * i + 1}"] for i in range(n)],
        }
    )


def finalists(n=3):
    frame = pd.DataFrame({"rank": range(2, n + 2), "difference": 0.1})
    return frame.assign(low=-0.05, high=0.2, told_apart=[i % 2 == 0 for i in range(n)])


def effects(names=("filters", "dropout")):
    n = len(names)
    frame = pd.DataFrame({"parameter": list(names), "importance": [1 / n] * n if n else []})
    return frame.assign(p_holm=[0.01, *[0.5] * n][:n])


def changes(n=3):
    frame = pd.DataFrame({"name": [f"measure {i}" for i in range(n)], "difference": 0.1})
    return frame.assign(low=-0.05, high=0.2, told_apart=[i % 2 == 0 for i in range(n)])


def before_after(names=("Photo", "Text", "Sketch")):
    frame = pd.DataFrame({"name": list(names), "images": 40})
    return frame.assign(old_errors=range(len(names)), new_errors=1)


COUNTS = pd.Series({"Photo": 12, "Text": 1500, "Sketch": 0})
LABELS, SCORES = np.array([0, 1, 1, 0]), np.array([0.1, 0.9, 0.4, 0.45])
CONFUSION = {"tp": 1203, "fp": 3, "fn": 5, "tn": 7}

# What is drawn → the arguments that follow `ax`.
DRAWINGS = {
    "draw_class_counts": (COUNTS,),
    "draw_sizes": (audit(),),
    "draw_curves": (events(), "val_loss", 0.6, "20300101-000001_compact_cnn_00000001"),
    "draw_confusion": (CONFUSION,),
    "draw_score_histogram": (SCORES, 0.5, LABELS),
    "draw_reliability": (LABELS, SCORES),
    "draw_rates": (rates(),),
    "draw_heat": (image(), np.eye(4)),
    "draw_parameters": (layers(),),
    "draw_points": (points(), runs(), "val_loss"),
    "draw_differences": (finalists(), "val_loss"),
    "draw_changes": (changes(),),
    "draw_before_after": (before_after(),),
    "draw_importance": (effects(),),
    "draw_slice": (points(), "learning_rate", "val_loss"),
    "draw_pareto": (points(), "flops", "val_loss", [True, True, False, True]),
}


def rendered(figure):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # A name may hold characters that the font lacks; a box for them is fine.
        warnings.filterwarnings("ignore", "Glyph")
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=60)
    return file.getvalue()


def texts(ax):
    ax.figure.canvas.draw()
    return [text.get_text() for text in ax.findobj(mpl.text.Text) if text.get_text()]


@pytest.mark.parametrize("name", DRAWINGS)
def test_what_is_drawn_comes_back_and_its_data_stays(name):
    arguments = copy.deepcopy(DRAWINGS[name])
    with look.style():
        ax = Figure(figsize=(5, 3)).subplots()
    assert PLOTS[name](ax, *arguments) is ax
    assert rendered(ax.figure).startswith(b"\x89PNG")
    for before, after in zip(DRAWINGS[name], arguments, strict=True):
        if isinstance(before, pd.DataFrame | pd.Series):
            pd.testing.assert_frame_equal(pd.DataFrame(before), pd.DataFrame(after))
        else:
            np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", sorted(DRAWINGS.keys() - {"draw_heat"}))
def test_in_french_no_number_has_a_point_and_no_word_is_english(name):
    ax = PLOTS[name](Figure().subplots(), *DRAWINGS[name], words=Messages("fr"))
    written = " ".join(texts(ax))
    assert "." not in written.replace("…", "")
    words = [text for key, text in wording().items() if key.startswith("figure.")]
    only_english = {text["en"] for text in words} - {text["fr"] for text in words}
    assert len(only_english) > 10
    assert not [word for word in only_english if word in texts(ax)]


def test_importing_and_drawing_change_nothing_for_the_rest_of_the_process():
    code = (
        "import matplotlib; before = matplotlib.rcParams.copy()\n"
        "import sys; from photoclf import plots_archive, plots_runs, plots_scores\n"
        "from photoclf.look import style; from matplotlib.figure import Figure\n"
        "with style():\n"
        "    plots_scores.draw_confusion(Figure().subplots(), dict(tp=1, fp=2, fn=3, tn=4))\n"
        # Reading the backend is what chooses it, so it is left out; pyplot would have read it.
        "after = matplotlib.rcParams\n"
        "assert not [k for k in before if k != 'backend' and before[k] != after[k]]\n"
        "assert not {'matplotlib.pyplot', 'seaborn', 'sklearn', 'tensorflow'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("draw_class_counts", (pd.Series(dtype="int64"),)),
        ("draw_class_counts", (pd.Series({"Photo": 0}),)),
        ("draw_class_counts", (pd.Series({"Photo": 1}),)),
        ("draw_sizes", (audit(()),)),
        ("draw_sizes", (audit(("Photo",)),)),
        ("draw_curves", (events(0), "val_loss")),
        ("draw_curves", (events(), "absent")),
        ("draw_curves", (events(1, 1), "val_loss", 0.6)),
        ("draw_curves", (events(12), "val_loss")),
        ("draw_curves", (events(2), "val_loss", None, "no such run")),
        ("draw_confusion", ({"tp": 0, "fp": 0, "fn": 0, "tn": 0},)),
        ("draw_score_histogram", ([], 0.5)),
        ("draw_score_histogram", ([0.5, np.nan], 1.0, [1, 0])),
        ("draw_reliability", ([], [])),
        ("draw_reliability", ([1], [1.0])),
        ("draw_rates", (rates(()),)),
        ("draw_rates", (rates(("Photo",)).assign(rate=0.0, low=0.0, high=0.0),)),
        ("draw_heat", (image(), np.full((2, 2), np.nan))),
        ("draw_parameters", (layers(()),)),
        ("draw_parameters", (layers((5,)),)),
        ("draw_points", (points(0), runs(0), "val_loss")),
        ("draw_points", (points(40), runs(40), "val_loss")),
        ("draw_differences", (finalists(0), "val_loss")),
        ("draw_changes", (changes(0),)),
        ("draw_changes", (changes().assign(difference=0.0, low=0.0, high=0.0),)),
        ("draw_changes", (changes().assign(low=np.nan, high=np.nan),)),
        ("draw_before_after", (before_after(()),)),
        ("draw_before_after", (before_after().assign(old_errors=0, new_errors=0),)),
        ("draw_importance", (effects(()),)),
        ("draw_importance", (effects().assign(importance=np.nan),)),
        ("draw_slice", (points(), "filters", "val_loss")),
        ("draw_slice", (points(12), "learning_rate", "val_accuracy")),
        ("draw_slice", (points(1), "learning_rate", "val_loss")),
        ("draw_pareto", (points(1), "duration_s", "val_loss", [True])),
    ],
)
def test_little_or_no_data_still_draws(name, arguments):
    ax = Figure(layout="constrained").subplots()
    assert isinstance(PLOTS[name](ax, *arguments), Axes)
    rendered(ax.figure)


def test_names_of_files_are_never_read_as_formulas():
    figure = Figure(figsize=(24, 4), layout="constrained")
    axes = figure.subplots(1, 5)
    plots_archive.draw_class_counts(axes[0], pd.Series(1, index=HOSTILE))
    plots_archive.draw_sizes(axes[1], audit(HOSTILE))
    plots_scores.draw_rates(axes[2], rates(HOSTILE))
    frame = events(2)
    plots_runs.draw_curves(
        axes[3], frame.assign(run=frame["run"].map(lambda r: f"$x_{{{r}")), "val_loss"
    )
    plots_scores.draw_confusion(axes[4], CONFUSION, HOSTILE[:2])
    rendered(figure)
    ax = Figure().subplots()
    plots_sweep.draw_slice(ax, points(6).assign(**{"$x_{": HOSTILE}), "$x_{", "val_loss")
    rendered(plots_sweep.draw_importance(Figure().subplots(), effects(HOSTILE)).figure)
    rendered(plots_paired.draw_before_after(Figure().subplots(), before_after(HOSTILE)).figure)
    rendered(ax.figure)
    figure = Figure()
    plots_archive.draw_samples(figure, [image()] * len(HOSTILE), HOSTILE)
    rendered(figure)


def test_columns_that_a_drawing_needs_are_named_when_missing():
    for name, frame in (
        ("draw_sizes", audit()),
        ("draw_rates", rates()),
        ("draw_parameters", layers()),
        ("draw_changes", changes()),
        ("draw_before_after", before_after()),
        ("draw_importance", effects()),
    ):
        with pytest.raises(TableError, match=frame.columns[-1]):
            PLOTS[name](Figure().subplots(), frame.iloc[:, :-1])


# What the figures say


def test_class_counts_are_sorted_and_the_photo_stands_out():
    ax = plots_archive.draw_class_counts(Figure().subplots(), COUNTS)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["Sketch", "Photo", "Text"]
    colours = [bar.get_facecolor()[:3] for bar in ax.patches]
    assert [colour == to_rgb(look.MAIN) for colour in colours] == [False, True, False]
    assert "1,500  (>99%)" not in texts(ax)
    assert "1,500  (99%)" in texts(ax)


def test_images_without_a_size_are_left_out():
    frame = audit(("Photo", "Photo", "Text"))
    frame.loc[0, "width"] = pd.NA
    ax = plots_archive.draw_sizes(Figure().subplots(), frame)
    assert [len(marks.get_offsets()) for marks in ax.collections] == [1, 1]


def test_many_images_of_one_size_make_one_larger_mark():
    frame = audit(["Sketch"] * 10)
    frame.loc[1:, ["width", "height"]] = 128
    (marks,) = plots_archive.draw_sizes(Figure().subplots(), frame).collections
    np.testing.assert_allclose(np.divide(*sorted(marks.get_sizes(), reverse=True)), 3)


def test_only_the_highlighted_run_is_named_and_smoothed():
    frame = events(3)
    chosen = frame["run"].iloc[0]
    ax = plots_runs.draw_curves(Figure().subplots(), frame, "val_loss", 0.6, chosen)
    values = frame.loc[frame["run"] == chosen, "value"]
    np.testing.assert_allclose(ax.lines[-1].get_ydata(), smooth(values, 0.6))
    np.testing.assert_allclose(ax.lines[-2].get_ydata(), values)
    assert len(ax.lines) == 4
    assert chosen in texts(ax)
    assert "+ 2 other runs" in texts(ax)


def test_names_of_lines_that_end_together_stand_apart():
    frame = events(6).assign(value=0.5)
    ax = plots_runs.draw_curves(Figure(figsize=(6, 4)).subplots(), frame, "val_loss")
    ax.figure.canvas.draw()
    boxes = [t.get_window_extent() for t in ax.texts if "compact_cnn" in t.get_text()]
    assert len(boxes) == 6
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_a_confusion_reads_truth_in_rows_with_the_photo_first():
    ax = plots_scores.draw_confusion(Figure().subplots(), CONFUSION)
    assert [t.get_text() for t in ax.texts] == [
        *("1,203", "99.6%", "5", "0.4%"),
        *("3", "30.0%", "7", "70.0%"),
    ]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["photo", "not a photo"]


def test_the_threshold_is_drawn_where_it_is():
    ax = plots_scores.draw_score_histogram(Figure().subplots(), SCORES, 0.43)
    assert ax.lines[0].get_xdata()[0] == 0.43
    assert "threshold 0.43" in texts(ax)


def test_thumbnails_fill_rows_and_leave_no_empty_frame():
    figure = Figure()
    axes = plots_archive.draw_samples(
        figure, [image(i) for i in range(5)], list("abcde"), columns=3
    )
    assert [ax.get_title() for ax in axes] == list("abcde")
    assert len(figure.axes) == 6
    assert not figure.axes[5].axison
    with pytest.raises(ValueError, match="one title an image"):
        plots_archive.draw_samples(Figure(), [image()], [])
    assert plots_archive.draw_samples(Figure(), [], []) == []


def test_each_pair_has_a_frame_with_its_heading():
    figure = Figure()
    plots_archive.draw_pairs(figure, [image()] * 6, list("abcdef"), ["one", "two", "three"], 2)
    frames = [frame for frame in figure.subfigs if frame.axes]
    assert [[ax.get_title() for ax in frame.axes] for frame in frames] == [
        ["a", "b"],
        ["c", "d"],
        ["e", "f"],
    ]
    assert [frame.get_suptitle() for frame in frames] == ["one", "two", "three"]


def test_no_pairs_and_no_thumbnails_are_a_line_that_says_so():
    for draw in (
        lambda figure: plots_archive.draw_pairs(figure, [], [], []),
        lambda figure: plots_archive.draw_samples(figure, [], []),
    ):
        figure = Figure(figsize=look.grid_size(0))
        draw(figure)
        assert texts(figure.axes[0]) == ["no data"]
    assert look.grid_size(0)[1] < look.grid_size(1)[1]


def test_quality_is_drawn_by_class_with_its_threshold():
    table = pd.DataFrame({"dark": [0.1, 0.9, 0.8, None], "class_folder": ["A", "A", "B", "B"]})
    ax = plots_archive.draw_quality(Figure().subplots(), table, "dark", 0.32)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["B", "A"]
    assert any(set(line.get_xdata()) == {0.32} for line in ax.lines)
    nothing = plots_archive.draw_quality(Figure().subplots(), table.head(0), "dark", 0.32)
    assert "no data" in texts(nothing)


def test_a_grid_grows_with_its_rows():
    assert look.grid_size(30, 10)[1] == pytest.approx(3 * look.grid_size(10, 10)[1])


def test_feature_maps_are_limited_and_numbered():
    maps = np.random.default_rng(0).random((6, 6, 40))
    axes = plots_runs.draw_feature_maps(Figure(), maps, columns=8, most=12)
    assert [ax.get_title() for ax in axes] == [str(i) for i in range(12)]
    rendered(axes[0].figure)


def test_heat_covers_the_whole_image_and_cold_places_stay_clear():
    picture = image()
    ax = plots_scores.draw_heat(Figure().subplots(), picture, np.array([[0.0, 2.0]]))
    below, above = ax.images
    assert tuple(above.get_extent()) == tuple(below.get_extent()) == (-0.5, 29.5, 19.5, -0.5)
    assert above.get_alpha().tolist() == [[0.0, 0.65]]


def test_layers_without_parameters_are_left_out():
    ax = plots_runs.draw_parameters(Figure().subplots(), layers())
    assert [t.get_text() for t in ax.get_yticklabels()] == ["layer_2", "layer_1"]
    assert "18,900" in ax.get_title(loc="left") + ax.get_title()


def test_long_names_keep_both_ends():
    assert shorten("Photo/a_very_long_source_name", 13) == "Photo/…e_name"
    assert shorten("short") == "short"
    assert all(len(shorten(name, 20)) <= 20 for name in HOSTILE)
    assert "\n" not in shorten("a\nb")


def test_statuses_that_no_file_has_are_not_in_the_legend():
    table = pd.DataFrame(
        {"used": [5, 5], "unreadable": [1, 1], "duplicate": 0, "not_an_image": 0, "ignored": 0},
        index=["Photo", "total"],
    ).assign(total=6)
    ax = plots_archive.draw_statuses(Figure().add_subplot(), table)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["Used (5)", "Unreadable (1)"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["Photo"]


def test_files_are_counted_in_whole_numbers():
    table = pd.DataFrame(
        {"used": [8, 8], "unreadable": 3, "duplicate": 5, "not_an_image": 3, "ignored": 1},
        index=["Text", "total"],
    ).assign(total=20)
    ax = plots_archive.draw_statuses(Figure().add_subplot(), table)
    assert all(tick == round(tick) for tick in ax.get_xticks())


def test_issues_are_drawn_the_most_frequent_on_top():
    ax = plots_archive.draw_issues(Figure().add_subplot(), pd.Series({"odd_size": 3, "dark": 0}))
    assert [t.get_text() for t in ax.get_yticklabels()] == ["dark", "odd size"]


def test_all_properties_together_stand_above_each_alone():
    features = pd.DataFrame({"feature": ["weight", "encoding"], "roc_auc": [0.9, 0.3]})
    ax = plots_archive.draw_properties(Figure().add_subplot(), features, 0.95, warning=0.8)
    names = [t.get_text() for t in ax.get_yticklabels()]
    assert names == ["encoding", "weight", "all together"]
    assert [bar.get_width() for bar in ax.patches] == [0.3, 0.9, 0.95]
    assert ax.get_xlim()[0] < 0.3


def test_the_chosen_point_stands_out_and_bars_are_those_of_means():
    ax = plots_sweep.draw_points(
        Figure().subplots(), points(), runs(), "val_loss", noise=0.1, chosen=2
    )
    bars = [line for line in ax.lines if line.get_marker() == "None"]
    np.testing.assert_allclose(np.ptp(bars[0].get_xdata()), 2 * 0.1 / np.sqrt(2))
    assert [to_rgb(bar.get_color()) == to_rgb(look.MAIN) for bar in bars] == [
        False, True, False, False,
    ]  # fmt: skip
    without = plots_sweep.draw_points(Figure().subplots(), points(), runs(), "val_loss")
    assert len(without.lines) == len(ax.lines) - 4


def test_the_front_goes_from_the_cheapest_to_the_best():
    ax = plots_sweep.draw_pareto(
        Figure().subplots(), points(), "flops", "val_loss", [True, False, True, True]
    )
    (front,) = ax.lines
    assert front.get_xdata().tolist() == pytest.approx([1, 7 / 3, 5])
    assert [t.get_text() for t in ax.texts] == ["1", "2", "3", "4"]


def test_a_parameter_with_many_decades_gets_a_logarithmic_axis():
    ax = plots_sweep.draw_slice(Figure().subplots(), points(), "learning_rate", "val_loss")
    assert ax.get_xscale() == "log"
    ax = plots_sweep.draw_slice(Figure().subplots(), points(), "filters", "val_loss")
    assert [t.get_text() for t in ax.get_xticklabels()] == ["8-16", "16-32"]


def test_fewer_errors_and_more_errors_have_colours_of_their_own():
    table = before_after().assign(old_errors=[5, 1, 2], new_errors=[1, 5, 2])
    ax = plots_paired.draw_before_after(Figure().subplots(), table)
    after = ax.collections[-1]
    assert [tuple(c[:3]) for c in after.get_facecolor()] == [
        to_rgb(look.MAIN), to_rgb(look.ALERT), to_rgb(look.MAIN)
    ]  # fmt: skip
    assert "1 → 5 of 40" in texts(ax)


def test_a_change_that_is_told_apart_has_a_full_disc_and_zero_is_in_the_middle():
    ax = plots_paired.draw_changes(Figure().subplots(), changes(2))
    discs = [line for line in ax.lines if line.get_marker() == "o"]
    assert [line.get_markerfacecolor() for line in discs] == [look.MAIN, "white"]
    low, high = ax.get_xlim()
    assert low == -high < 0


def test_shares_at_ticks_have_a_decimal_only_where_it_takes_one():
    written = [look.percent_ticks(look.ENGLISH)(share) for share in (0, 0.015, 0.06, 0.2)]
    assert written == ["0%", "1.5%", "6%", "20%"]
