"""Recipes of frozen features and heads, measured on the sources that a plan leaves out."""

import dataclasses
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit
from tqdm import tqdm

from photoclf.backbones import EXTRACTORS, make_extractor
from photoclf.config import BALANCES, TARGETS
from photoclf.errors import ConfigError, RunError, check_one_of
from photoclf.feature_parts import PARTS
from photoclf.features import Features, view_features
from photoclf.files import sha256_text
from photoclf.heads import fit_head
from photoclf.locks import locked
from photoclf.metrics import classification_metrics
from photoclf.paths import Workspace, resolve_archive
from photoclf.schema import ABLATION, SPLIT, VAL_SCORES
from photoclf.split import check_split, split_hash
from photoclf.tables import read_table, write_table
from photoclf.thresholds import choose_threshold
from photoclf.views import view_key
from photoclf.yaml_file import read_mapping

_METRICS = ("f1", "recall", "precision", "roc_auc")
_COLUMNS = list(ABLATION.columns)
# Part of every recipe's hash: raise it when the same recipe would give other figures.
RECIPES_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How pictures become scores.

    Args:
        backbone: The frozen network, one of `backbones.EXTRACTORS`.
        image_size: Side of the square that it sees, in px.
        fitted_on: Views of each training image, see `views.render_view`; each is a row to fit to.
        scored_on: Views of each other image; their scores' log-odds are averaged.
        parts: Parts of the features, see `feature_parts.PARTS`.
        target: What the head tells apart, see `heads.fit_head`.
        balance: How images are weighted, see `heads.fit_head`.
        strength: Inverse of the head's penalty.

    Raises:
        ConfigError: If a value isn't one of those.
    """

    backbone: str = "efficientnet_lite0"
    image_size: int = 224
    fitted_on: tuple[str, ...] = ("squash",)
    scored_on: tuple[str, ...] = ("squash",)
    parts: tuple[str, ...] = ("pooled",)
    target: str = "label"
    balance: str = "none"
    strength: float = 0.01

    def __post_init__(self) -> None:
        allowed = {"backbone": EXTRACTORS, "target": TARGETS, "balance": BALANCES}
        for name, values in allowed.items():
            check_one_of(name, getattr(self, name), values)
        for name in ("fitted_on", "scored_on", "parts"):
            values = getattr(self, name)
            if isinstance(values, str) or not isinstance(values, list | tuple) or not values:
                raise ConfigError(f"`{name}` must be a list of names. Received: {values!r}.")
            object.__setattr__(self, name, tuple(values))
        for part in self.parts:
            check_one_of("parts", part, PARTS)
        for view in (*self.fitted_on, *self.scored_on):
            view_key(view)
        number = isinstance(self.strength, int | float) and not isinstance(self.strength, bool)
        if not number or not 0 < self.strength < float("inf"):
            raise ConfigError(f"`strength` must be a number over 0. Received: {self.strength!r}.")

    @property
    def hash8(self) -> str:
        """Eight hexadecimal digits that are equal for equal recipes of this version."""
        views = [view_key(view) for view in (*self.fitted_on, *self.scored_on)]
        extractor = make_extractor(self.backbone, self.image_size)
        return sha256_text(
            json.dumps([RECIPES_VERSION, dataclasses.asdict(self), views, extractor.key])
        )[:8]


def read_recipes(path: Path) -> dict[str, Recipe]:
    """Read named recipes from a YAML file: a mapping of names to the fields that differ.

    Raises:
        ConfigError: If the file isn't such a mapping, or a recipe has an unknown field or value.
    """
    told = read_mapping(path, "A recipes file")
    if not all(isinstance(recipe, dict | None) for recipe in told.values()):
        raise ConfigError(
            "Recipes must map names to fields, such as `five: {target: class_folder}`."
            f" Received: {path}. Correct it."
        )
    names = [f.name for f in dataclasses.fields(Recipe)]
    for recipe, fields in told.items():
        for field in fields or {}:
            check_one_of(f"a field of {recipe}", field, names)
    return {str(name): Recipe(**(fields or {})) for name, fields in told.items()}


def measure_recipes(
    recipes: Mapping[str, Recipe],
    workspace: Workspace,
    *,
    archive: str | Path | None = None,
    threads: int | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Fit each recipe on each split of the workspace's plan, and measure it on what was left out.

    A recipe is fitted to the train side, its threshold chosen on the val side, its figures taken
    on the test side. These are development figures: many recipes look at the same tests, so the
    best one's are a little too good. What is finished is read, not done again: a recipe's rows are
    added to `data/ablation.csv` when it is finished, and its scores of test images are kept in
    `data/ablation/<hash>/<split>.csv`.

    Args:
        recipes: Recipes by their names.
        workspace: Holds the plan (`photoclf split --plan`).
        archive: The archive's folder, see `paths.resolve_archive`.
        threads: Processor threads of the extraction; all by default.
        progress: Whether to show bars.

    Returns:
        A `schema.ABLATION` frame, one row a recipe and split.

    Raises:
        RunError: If there is no plan.
    """
    splits = {path.stem: read_table(path, SPLIT) for path in workspace.planned_splits}
    if not splits:
        raise RunError(
            f"Recipes must be measured on a plan. Received: no split in {workspace.splits}."
            " Make one: photoclf split --plan."
        )
    for split in splits.values():
        check_split(split)
    place = resolve_archive(archive, workspace)
    path = workspace.data / "ablation.csv"
    hashes = {name: split_hash(split)[:8] for name, split in splits.items()}
    for name, recipe in recipes.items():
        if _is_measured(_read(path), recipe, hashes):
            continue
        views = _views(recipe, next(iter(splits.values())), place, workspace, threads, progress)
        rows = []
        for key, split in tqdm(splits.items(), name, unit="split", disable=not progress):
            row, scores = _measure(recipe, split, views)
            ids = {"recipe": name, "recipe_hash": recipe.hash8, "split": key}
            rows.append({**ids, "split_hash": hashes[key], **row})
            write_table(
                scores, workspace.data / "ablation" / recipe.hash8 / f"{key}.csv", VAL_SCORES
            )
        _add(path, pd.DataFrame(rows))
    names = {recipe.hash8: name for name, recipe in recipes.items()}
    table = _read(path)
    table = table[table.recipe_hash.isin(names) & table.split_hash.isin(hashes.values())]
    # Under the names of today: a recipe may have been measured under another one.
    return table.assign(recipe=table.recipe_hash.map(names)).reset_index(drop=True)


def _read(path: Path) -> pd.DataFrame:
    return read_table(path, ABLATION) if path.is_file() else pd.DataFrame(columns=_COLUMNS)


def _add(path: Path, rows: pd.DataFrame) -> None:
    with locked(path.with_suffix(".lock")):  # another process may measure other recipes
        table = _read(path)
        keys = ["recipe_hash", "split_hash"]
        known = table.set_index(keys).index.isin(rows.set_index(keys).index)
        kept = [part for part in (table[~known], rows) if len(part)]
        write_table(pd.concat(kept, ignore_index=True), path, ABLATION)


def _is_measured(table: pd.DataFrame, recipe: Recipe, hashes: Mapping[str, str]) -> bool:
    rows = table[table.recipe_hash == recipe.hash8]
    return set(hashes.values()) <= set(rows.split_hash)


def _views(
    recipe: Recipe,
    images: pd.DataFrame,
    archive: Path,
    workspace: Workspace,
    threads: int | None,
    progress: bool,
) -> dict[str, Features]:
    extractor = make_extractor(recipe.backbone, recipe.image_size, threads=threads)
    return {
        view: view_features(
            archive, images, extractor, view, workspace.features, progress=progress
        ).of(*recipe.parts)
        for view in dict.fromkeys((*recipe.fitted_on, *recipe.scored_on))
    }


def _measure(
    recipe: Recipe, split: pd.DataFrame, views: Mapping[str, Features]
) -> tuple[dict[str, float], pd.DataFrame]:
    sides = {side: split[split["split"] == side] for side in ("train", "val", "test")}
    started = time.perf_counter()
    head = fit_head(
        np.concatenate(
            [views[view].values_of(sides["train"].pathname) for view in recipe.fitted_on]
        ),
        pd.concat([sides["train"]] * len(recipe.fitted_on), ignore_index=True),
        target=recipe.target,
        balance=recipe.balance,
        strength=recipe.strength,
    )
    fit_s = time.perf_counter() - started
    scores = {}
    for side in ("val", "test"):
        each = [
            head.log_odds(views[view].values_of(sides[side].pathname)) for view in recipe.scored_on
        ]
        # Of log-odds: a view that is sure should count for more than two that are not.
        scores[side] = expit(np.mean(each, axis=0))
    val, test = sides["val"], sides["test"]
    threshold = choose_threshold(val.label, scores["val"])
    figures = classification_metrics(test.label, scores["test"], threshold)
    in_distribution = classification_metrics(val.label, scores["val"], threshold)
    row = {
        "images": len(test),
        "photos": int(test.label.sum()),
        "threshold": threshold,
        **{name: figures[name] for name in _METRICS},
        "f1_half": classification_metrics(test.label, scores["test"], 0.5)["f1"],
        "ece": figures["ece"],
        "val_f1": in_distribution["f1"],
        "features": len(head.mean),
        "views": len(recipe.scored_on),
        "fit_s": round(fit_s, 3),
    }
    return row, test[["pathname", "label", "group"]].assign(score=scores["test"])
