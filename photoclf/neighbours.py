"""What a run learnt from that looks most like its errors."""

from pathlib import Path

import numpy as np
import pandas as pd

from photoclf.cache import build_cache_for
from photoclf.evaluation import read_evaluation
from photoclf.explain import MOST, embed, explain_errors, model_of
from photoclf.paths import Workspace, resolve_archive
from photoclf.run import Run
from photoclf.schema import NEIGHBOURS, check_table
from photoclf.split import split_hash
from photoclf.split_files import split_to_evaluate
from photoclf.tables import read_table, write_table

# Training images that are looked through: a thousand of a large network takes ten seconds.
MOST_TRAINING = 1000
NEAREST = 3


def find_neighbours(
    run: Run, workspace: Workspace, *, archive: str | Path | None = None, most: int = MOST
) -> pd.DataFrame:
    """Find the training images nearest to a run's most confident errors: `eval/neighbours.csv`.

    Near is what the network itself finds alike: the cosine between what its last layer takes of two
    images, once each feature has mean 0 and deviation 1 over the training images. A table that is
    there is kept while it is of the same errors.

    Args:
        run: An evaluated run, or the release.
        workspace: Holds the split and the pixel cache.
        archive: The archive's folder, see `paths.resolve_archive`.
        most: Errors at most.

    Returns:
        A `schema.NEIGHBOURS` frame, `NEAREST` rows an error; `of_images` is how many training
        images were looked through, drawn at random (seed of the run) when there are more than
        `MOST_TRAINING`. Empty without errors or training images.

    Raises:
        RunError: If the run wasn't evaluated, or its model isn't what was recorded.
    """
    errors = read_evaluation(run).errors().head(most)
    path = run.eval_folder / "neighbours.csv"
    if path.is_file():
        known = read_table(path, NEIGHBOURS)
        if set(known.pathname) == set(errors.pathname):
            return known
    split = split_to_evaluate(run, workspace)
    # A release on another split than its own learnt from none of it.
    learnt_from = str(run.provenance.get("split_hash")) == split_hash(split)
    train = split[(split.split == "train") & learnt_from]
    train = train.sample(min(len(train), MOST_TRAINING), random_state=run.config.seed)
    found = _nearest(run, workspace, archive, split, train, errors)
    table = check_table(pd.DataFrame(found, columns=list(NEIGHBOURS.columns)), NEIGHBOURS)
    write_table(table, path, NEIGHBOURS)
    return table


def illustrate_errors(run: Run, workspace: Workspace, *, archive: str | Path | None = None) -> None:
    """Find what a report shows of a run's errors: where it looked, and what it knew that is near.

    Raises:
        RunError: As `explain.explain_errors` and `find_neighbours`.
    """
    explain_errors(run, workspace, archive=archive)
    find_neighbours(run, workspace, archive=archive)


def _nearest(
    run: Run,
    workspace: Workspace,
    archive: str | Path | None,
    split: pd.DataFrame,
    train: pd.DataFrame,
    errors: pd.DataFrame,
) -> list[dict[str, object]]:
    if train.empty or errors.empty:
        return []
    wanted = split[split.pathname.isin([*train.pathname, *errors.pathname])]
    cache = build_cache_for(
        run.config, resolve_archive(archive, workspace), wanted, workspace.cache
    )
    model = model_of(run)
    learnt, wrong = (
        embed(model, np.asarray(cache.pixels[cache.rows(images.pathname)]))
        for images in (train, errors)
    )
    mean, deviation = learnt.mean(axis=0), learnt.std(axis=0) + 1e-6
    learnt, wrong = (_unit((some - mean) / deviation) for some in (learnt, wrong))
    alike = wrong @ learnt.T
    rows = []
    for error, similarities in zip(errors.pathname, alike, strict=True):
        for rank, place in enumerate(np.argsort(-similarities, kind="stable")[:NEAREST], start=1):
            near = train.iloc[int(place)]
            rows.append(
                {"pathname": error, "rank": rank, "neighbour": near.pathname, "label": near.label}
                | {"class_folder": near.class_folder, "of_images": len(train)}
                | {"similarity": float(similarities[place])}
            )
    return rows


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
