"""The subcommands of models for sources never seen; nothing is computed here."""

from pathlib import Path
from typing import Any

import click

from photoclf import options
from photoclf.config import RunConfig
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


@click.command()
@options.workspace
@options.archive
@options.run_options
def release(workspace: Workspace, archive: Path | None, **choices: Any) -> None:
    """Train a frozen pretrained network for release: models/release/, with its model card."""
    config = RunConfig(**choices)
    from photoclf.release import make_release

    made = make_release(config, workspace, archive=archive, progress=True)
    assert made.release is not None
    summary = made.release["left_out"]["summary"]
    for name, figures in summary.items():
        told = ", ".join(f"{which} {value:.3f}" for which, value in figures.items())
        click.echo(f"left-out sources  {name:10}{told}")
    click.echo(f"{made.folder / 'MODEL_CARD.md'}")


@click.command()
@options.workspace
@options.on_split
@options.run_id
@click.option(
    "--images",
    type=click.IntRange(2),
    default=600,
    show_default=True,
    help="Test images at most.",
)
def stress(workspace: Workspace, run_id: str, images: int) -> None:
    """Measure an evaluated run on test images that are spoilt more and more."""
    from photoclf import steps
    from photoclf.stress import stress as stress_run

    run = steps.find_run_named(workspace, run_id)
    table = stress_run(run, workspace, images=images, progress=True)
    click.echo(table.to_string(index=False, float_format="{:.3f}".format))
    click.echo(f"{run.eval_folder / 'stress.csv'}")
