"""The subcommand of predicting, which loads neither TensorFlow nor a table."""

import json
from pathlib import Path

import click

from photoclf import options
from photoclf.paths import Workspace


@click.command()
@click.argument("source", metavar="DIR|TABLE", type=click.Path(exists=True, path_type=Path))
@options.workspace
@click.option(
    "--model",
    default="",
    show_default="the chosen run; the release while none is chosen",
    help="A run's name, its folder, or `release`.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    show_default="reports/<run>/predictions.csv, of a table predictions_<table>.csv",
    help="File for the predictions; Parquet if it ends in .parquet.",
)
@options.archive
@click.option(
    "--sort-into",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder in which files are linked by decision; none is moved.",
)
@click.option("--copy", is_flag=True, help="With --sort-into: copies instead of links.")
@click.option(
    "--workers",
    type=click.IntRange(1),
    show_default="one a processor core",
    help="Processes that decode and score.",
)
@click.option(
    "--scheduler",
    default="",
    show_default="this machine alone",
    help="Address of a Dask cluster that shares the work, such as tcp://10.0.0.5:8786.",
)
@click.option(
    "--shard-files",
    type=click.IntRange(1),
    show_default="10000 with --scheduler",
    help="Work in shards of so many files on a Dask cluster, else on one of this machine.",
)
@click.option(
    "--anew", is_flag=True, help="Replace other predictions that are there, if untouched."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def predict(
    workspace: Workspace,
    source: Path,
    model: str,
    out: Path | None,
    archive: Path | None,
    sort_into: Path | None,
    copy: bool,
    as_json: bool,
    workers: int | None,
    scheduler: str,
    shard_files: int | None,
    anew: bool,
) -> None:
    """Predict every file below DIR, or those that TABLE names, without TensorFlow.

    TABLE has a column `pathname`, relative to the archive. Interrupted, the same command goes on.
    """
    if copy and sort_into is None:
        raise click.UsageError("--copy says how --sort-into lays files out; give that as well.")
    from photoclf.file_list import Source
    from photoclf.paths import check_outside, remembered_archive, resolve_archive
    from photoclf.predict import predict_files
    from photoclf.run_folder import RunFolder
    from photoclf.run_names import find_model

    is_table = source.is_file()
    folder = resolve_archive(archive, workspace) if is_table else source
    # First of all: finding a model may lay the release into the workspace.
    check_outside(workspace.root, [folder], "workspace")
    run = RunFolder(find_model(workspace, model, or_release=True))
    name = f"predictions_{source.stem}.csv" if is_table else "predictions.csv"
    out = out or workspace.reports / run.run_id / name
    for place, what in ((out, "predictions"), (sort_into, "sorted files")):
        if place is not None:
            check_outside(place, [folder, remembered_archive(workspace)], what)
    wanted = Source(folder, source if is_table else None)
    if scheduler or shard_files:
        from photoclf.shards import SHARD_FILES, predict_sharded

        predicted = predict_sharded(
            wanted,
            run,
            out,
            scheduler=scheduler,
            jobs=workers,
            shard_files=shard_files or SHARD_FILES,
            anew=anew,
            progress=True,
        )
    else:
        predicted = predict_files(wanted, run, out, workers=workers, anew=anew, progress=True)
    if sort_into is not None:
        from photoclf.sorted_files import sort_into as sort_files

        sort_files(predicted.out, folder, sort_into, copy=copy, progress=True)
    told = predicted.summary()
    if as_json:
        click.echo(json.dumps({"run_id": run.run_id, "out": str(out)} | told))
        return
    kept = f", {told['kept']} of them done before" if told["kept"] else ""
    click.echo(f"{told['files']} files by {run.run_id}{kept}")
    click.echo(
        f"photo {told['photo']} ({told['photo_share']:.1%}), other {told['other']}, review"
        f" {told['review']} ({told['review_share']:.1%}); unreadable {told['unreadable']}, not an"
        f" image {told['not_an_image']}, ignored {told['ignored']}\n{out}"
    )
