"""A client's report on how the sorting holds when images get worse."""

import pandas as pd
from matplotlib.figure import Figure

from photoclf.findings import Findings
from photoclf.look import make_grid, style
from photoclf.markup import Html, drawing, element, section, table
from photoclf.messages import Messages
from photoclf.plots_stress import draw_stress, level_text

_COLUMNS = 3
_LARGE = 0.05  # of recall or precision: what the page calls out


def robustness(findings: Findings, text: Messages) -> Html:
    """Build curves and a table of what image quality costs; a sentence where it isn't measured."""
    title, measured = text("stress.title"), findings.stress
    if measured is None:
        return section(title, element("p", text("stress.unknown")), id_="robustness")
    return section(
        title,
        element("p", text("stress.text", images=int(measured.images.iloc[0]))),
        element("p", _verdict(measured, text)),
        _figure(measured, text),
        _table(measured, text),
        element("p", text("stress.note"), class_="note"),
        id_="robustness",
    )


def _verdict(measured: pd.DataFrame, text: Messages) -> str:
    whole, worst = measured.iloc[0], _harshest(measured)
    lost = whole.recall - worst.recall
    hurt = [text(f"stress.{row.change}") for row in worst.itertuples() if lost[row.Index] > _LARGE]
    if not hurt:
        return text("stress.holds")
    # Amid a sentence, but JPEG stays JPEG.
    names = [name if name[:2].isupper() else name[0].lower() + name[1:] for name in hurt]
    return text("stress.hurts", names=", ".join(names))


def _harshest(measured: pd.DataFrame) -> pd.DataFrame:
    return measured[measured.change != "none"].groupby("change", sort=False).tail(1)


def _figure(measured: pd.DataFrame, text: Messages) -> Html:
    changes = list(measured.change[measured.change != "none"].unique())
    rows = -(-len(changes) // _COLUMNS)
    with style():
        figure = Figure(figsize=(6.8, 1.75 * rows + 0.35), layout="constrained")
        axes = make_grid(figure, len(changes), _COLUMNS)
        for ax, change in zip(axes, changes, strict=True):
            draw_stress(ax, measured, change, words=text)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        items = [
            text(
                "stress.alt_item",
                change=text(f"stress.{row.change}"),
                recall=row.recall,
                precision=row.precision,
            )
            for row in _harshest(measured).itertuples()
        ]
        whole = measured.iloc[0]
        alt = text(
            "stress.alt",
            recall=whole.recall,
            precision=whole.precision,
            changes=" ; ".join(items),
        )
        return drawing(figure, alt, text("stress.figure"))


def _table(measured: pd.DataFrame, text: Messages) -> Html:
    header = [text(f"stress.{column}") for column in ("change", "level", "recall", "precision")]
    harshest = pd.concat([measured.iloc[[0]], _harshest(measured)])
    rows = [
        (
            text(f"stress.{row.change}" if row.change != "none" else "stress.as_is"),
            "–" if row.change == "none" else level_text(row.level, text),
            text.percent(row.recall, 1),
            text.percent(row.precision, 1) if pd.notna(row.precision) else text("worth.no_value"),
        )
        for _, row in harshest.iterrows()
    ]
    return table(text("stress.caption"), header, rows)
