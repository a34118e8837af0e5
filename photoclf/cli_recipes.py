"""The subcommand that measures recipes of frozen features; nothing is computed here."""

from pathlib import Path

import click

from photoclf import options
from photoclf.paths import Workspace

_SHOWN = 12


@click.command()
@click.argument("recipes", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.workspace
@options.archive
@click.option(
    "--threads", type=click.IntRange(1), show_default="all", help="Threads of the extraction."
)
def ablate(recipes: Path, workspace: Workspace, archive: Path | None, threads: int | None) -> None:
    """Measure the recipes of a YAML file on a plan's left-out sources; goes on where it was."""
    from photoclf.recipe_results import errors_by_source, summarise_recipes
    from photoclf.recipes import measure_recipes, read_recipes

    table = measure_recipes(
        read_recipes(recipes), workspace, archive=archive, threads=threads, progress=True
    )
    summary = summarise_recipes(table)
    click.echo(summary.to_string(index=False, float_format="{:.3f}".format))
    best = summary.recipe[0]
    sources = errors_by_source(workspace, table, best).head(_SHOWN)
    click.echo(f"\nleft-out sources with the most errors of {best}:")
    click.echo(sources.to_string(index=False, float_format="{:.3f}".format))
    click.echo(f"each split: {workspace.data / 'ablation.csv'}")
