"""What a comparison teaches, in sentences computed from its figures, French or English."""

import re
from typing import Any

import pandas as pd

from photoclf.comparison import LEVEL, Comparison, lead_by_luck
from photoclf.messages import LANGUAGES, Messages
from photoclf.points import OBJECTIVES

# Choices named in a sentence; more would hide the verb.
MOST_NAMED = 3
_SAVINGS = {
    "flops": "verdict.saves_flops",
    "parameters": "verdict.saves_parameters",
    "duration_s": "verdict.saves_duration",
}


def verdict(comparison: Comparison, text: Messages) -> str:
    """Say which point is proposed and why, in a few sentences."""
    if comparison.finalists.empty:
        return text("verdict.alone")
    values = _values(comparison, text)
    equals = comparison.equals
    if equals.empty:
        # Without two seeds of a point, nobody knows what the seed alone would do.
        key = "verdict.wins" if comparison.noise.known else "verdict.wins_images"
        said = text(key, others=len(comparison.finalists), **values)
    elif comparison.chosen_rank == 1:
        ranks = _enumerate([str(rank) for rank in equals["rank"]], text)
        said = text("verdict.best_is_cheapest", equals=len(equals), ranks=ranks, **values)
    else:
        said = text("verdict.cheaper", **values) + " " + _saving(comparison, text)
    if comparison.noise.known:
        return said
    return said + " " + text("verdict.noise_unknown")


def lessons(comparison: Comparison, text: Messages) -> list[str]:
    """Say what the runs teach: the best, what mattered, what didn't, cost, limits."""
    return [
        _best(comparison, text),
        _mattered(comparison, text),
        _made_no_difference(comparison, text),
        _cost(comparison, text),
        _limits(comparison, text),
    ]


def reason(comparison: Comparison) -> dict[str, Any]:
    """Return why a run was chosen, as `models/choice.json` holds it.

    Returns:
        `verdict` and `lessons` in both languages, `criterion`, `objective`, the best point's
        `best_run_id` and mean `best`, the chosen point's mean `chosen`, numbers of `trials` and
        `points`, `seed_noise` (`sd` is `None` when unknown) and the `finalists` with their
        intervals.
    """
    noise, best = comparison.noise, comparison.best
    finalists = comparison.finalists.astype(object)
    return {
        "criterion": "the cheapest that can't be told apart from the best",
        "objective": comparison.objective,
        "verdict": {lang: verdict(comparison, Messages(lang)) for lang in LANGUAGES},
        "lessons": {lang: lessons(comparison, Messages(lang)) for lang in LANGUAGES},
        "best_run_id": best["run_ids"][0],
        "best": float(best["mean"]),
        "chosen": float(comparison.chosen["mean"]),
        "trials": len(comparison.runs),
        "points": len(comparison.points),
        "seed_noise": {"sd": noise.sd if noise.known else None, "df": noise.df},
        "finalists": finalists.where(finalists.notna(), None).to_dict("records"),
    }


def choices(point: pd.Series, comparison: Comparison, text: Messages) -> str:
    """Name a point's choices, the parameters that mattered most first."""
    names = [name for name in comparison.effects["parameter"] if name in comparison.varied]
    said = [f"{name} {show(point[name], text)}" for name in names[:MOST_NAMED]]
    return ", ".join(said) + (", …" if len(names) > MOST_NAMED else "")


def show(value: Any, text: Messages) -> str:
    """Write a parameter's value as the language does; `8,16` of a list becomes `8-16`."""
    if isinstance(value, str):
        if value == "none":
            return text("comparison.none")
        if re.fullmatch(r"[\d,]+", value):
            return value.replace(",", "-")
        return re.sub(r"(?<=\d)\.(?=\d)", ",", value) if text.lang == "fr" else value
    number = float(value)
    return str(int(number)) if number.is_integer() else show(f"{number:.3g}", text)


def worse_by(comparison: Comparison, row: pd.Series) -> tuple[float, float, float]:
    """Return how much worse than the best a finalist is, and the interval's ends, low to high."""
    if OBJECTIVES[comparison.objective]:
        return row["difference"], row["low"], row["high"]
    return -row["difference"], -row["high"], -row["low"]


def p_value(p: float, text: Messages) -> str:
    """Write a p-value with three decimals, the smallest as less than 0.001."""
    return text("comparison.p_least") if p < 0.001 else text.number(p, 3)


def _values(comparison: Comparison, text: Messages) -> dict[str, Any]:
    best, chosen = comparison.best, comparison.chosen
    values: dict[str, Any] = {
        "objective": text(f"figure.{comparison.objective}"),
        "best": _named(best, comparison, text),
        "chosen": _named(chosen, comparison, text),
    }
    if comparison.chosen_rank > 1:
        row = comparison.finalists.iloc[comparison.chosen_rank - 2]
        values |= dict(zip(("gap", "low", "high"), worse_by(comparison, row), strict=True))
    return values


def _named(point: pd.Series, comparison: Comparison, text: Messages) -> str:
    said = choices(point, comparison, text)
    return text("comparison.point", rank=int(point["rank"])) + (f" ({said})" if said else "")


def _saving(comparison: Comparison, text: Messages) -> str:
    best, chosen = comparison.best, comparison.chosen
    key = next(key for key in _SAVINGS if chosen[key] < best[key])
    return text(_SAVINGS[key], share=1 - chosen[key] / best[key])


def _best(comparison: Comparison, text: Messages) -> str:
    best, noise = comparison.best, comparison.noise
    values = _values(comparison, text) | {"mean": best["mean"], "seeds": int(best["runs"])}
    if len(comparison.points) == 1:
        return text("lessons.only", **values)
    lead = abs(comparison.points["mean"][1] - best["mean"])
    if not noise.known:
        return text("lessons.best_unknown", lead=lead, **values)
    times = lead / noise.sd if noise.sd else float("inf")
    key = "lessons.best_below" if times < 1 else "lessons.best_above"
    return text(key, lead=lead, sd=noise.sd, times=min(times, 99.0), **values)


def _mattered(comparison: Comparison, text: Messages) -> str:
    if comparison.effects.empty:
        return text("lessons.nothing_varied")
    row = comparison.effects.iloc[0]
    if pd.isna(row["p_holm"]):
        chance = text("lessons.chance_unknown", points=len(comparison.points))
    else:
        key = "lessons.not_chance" if row["p_holm"] < LEVEL else "lessons.maybe_chance"
        chance = text(key, p=p_value(row["p_holm"], text))
    return text(
        "lessons.mattered",
        parameter=row["parameter"],
        best=show(row["best"], text),
        worst=show(row["worst"], text),
        best_mean=row["best_mean"],
        worst_mean=row["worst_mean"],
        objective=text(f"figure.{comparison.objective}"),
        chance=chance,
    )


def _made_no_difference(comparison: Comparison, text: Messages) -> str:
    effects = comparison.effects
    if effects.empty:
        return text("lessons.seed_only")
    if effects["p_holm"].isna().all():
        return text("lessons.cannot_tell", points=len(comparison.points))
    idle = effects[~(effects["p_holm"] < LEVEL)]
    if idle.empty:
        return text("lessons.all_mattered", parameters=len(effects))
    names = _enumerate(list(idle["parameter"]), text)
    return text("lessons.no_effect", names=names, parameters=len(idle), effect=idle["effect"].max())


def _cost(comparison: Comparison, text: Messages) -> str:
    chosen, best = comparison.chosen, comparison.best
    values = _values(comparison, text) | {
        "millions": chosen["flops"] / 1e6,
        "parameters": int(chosen["parameters"]),
    }
    if comparison.chosen_rank == 1:
        return text("lessons.cost_best", **values)
    share = 1 - chosen["flops"] / best["flops"]
    key = "lessons.cost_cheaper" if share > 0 else "lessons.cost_same"
    return text(key, share=share, **values)


def _limits(comparison: Comparison, text: Messages) -> str:
    points, noise = len(comparison.points), comparison.noise
    luck = text("lessons.luck", points=points, luck=lead_by_luck(comparison))
    if not noise.known:
        advice = text("lessons.next_seeds")
    elif comparison.equals.empty:
        advice = text("lessons.next_evaluate")
    else:
        advice = text("lessons.next_more")
    return text(
        "lessons.limits",
        runs=len(comparison.runs),
        images=comparison.images,
        luck=luck if points > 1 and noise.known else "",
        next=advice,
    )


def _enumerate(names: list[str], text: Messages) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {text('comparison.and')} {names[-1]}"
