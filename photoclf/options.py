"""The command line's options and errors, shared by its commands."""

import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from photoclf.config import MODEL_DEFAULTS, RunConfig
from photoclf.errors import PhotoclfError
from photoclf.paths import Workspace


class Commands(click.Group):
    """Tells an expected error in a sentence, and any error without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands for the help."""
        return list(self.commands)  # in the order of the work, not of the alphabet

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and end with its exit code."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            click.echo("\nInterrupted. The same command goes on where this one was.", err=True)
            sys.exit(130)
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            click.echo(f"Error: {_sentence(error)}", err=True)
            sys.exit(error.exit_code if isinstance(error, PhotoclfError) else 1)


def _sentence(error: Exception) -> str:
    if isinstance(error, PhotoclfError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"the system refused: {error.strerror}{where}. Mend that and run it again."
    return (
        f"{type(error).__name__}: {error}. This wasn't expected; run it again as"
        " `photoclf --debug …` and report what it prints."
    )


class Numbers(click.ParamType):
    """Whole numbers separated by commas, such as `32,64`; `none` for an empty list."""

    name = "n,n,…"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Turn the text into numbers."""
        if isinstance(value, tuple):
            return value
        try:
            return () if value == "none" else tuple(int(item) for item in value.split(","))
        except ValueError:
            self.fail(f"must be whole numbers separated by commas. Received: {value!r}.", param)


def _option_of_field(f: Any) -> Callable:
    rule = f.metadata
    if "choices" in rule:
        kind: Any = click.Choice(rule["choices"])
    elif "items" in rule:
        kind = Numbers()
    else:
        kind = float if "float" in str(f.type) else int
    of_model = any(f.name in defaults for defaults in MODEL_DEFAULTS.values())
    return click.option(
        f"--{f.name.replace('_', '-')}",
        f.name,
        type=kind,
        default=f.default,
        show_default=True if f.default is not None else "the model's own" if of_model else "none",
        help=rule["help"][0].upper() + rule["help"][1:] + ".",
    )


def run_options(command: Callable) -> Callable:
    """Give a command one option a field of `RunConfig`."""
    for f in reversed(fields(RunConfig)):
        command = _option_of_field(f)(command)
    return command


workspace = click.option(
    "--workspace",
    type=click.Path(file_okay=False, path_type=Path),
    default=".",
    show_default="current folder",
    help="Folder that holds data/, models/ and reports/.",
    callback=lambda ctx, param, value: Workspace(value),
    is_eager=True,  # so that `on_split` finds it
)


def _on_split(ctx: click.Context, param: click.Parameter, value: str) -> None:
    if value:
        ctx.params["workspace"] = Workspace(ctx.params["workspace"].root, value)


on_split = click.option(
    "--split",
    default="",
    show_default="data/split.csv",
    help="Work on this split, such as without_2; see `split --plan` and `split --grow`.",
    callback=_on_split,
    expose_value=False,
)
archive = click.option(
    "--archive",
    type=click.Path(path_type=Path),
    default=None,
    show_default="$PHOTOCLF_ARCHIVE, else what data/path.txt says",
    help="The archive's folder; nothing in it is changed.",
)
positive_folder = click.option(
    "--positive-folder", default="Photo", show_default=True, help="Class folder of photographs."
)
ignored_folders = click.option(
    "--ignored-folder",
    "ignored_folders",
    multiple=True,
    default=("Dataset_L2", "Photo_2"),
    show_default=True,
    help="Class folder without labels; may be given several times.",
)
run_id = click.option(
    "--run",
    "run_id",
    default="",
    show_default="the chosen run",
    help="Name of a run in models/, or `release`.",
)
_share = click.FloatRange(0, 1, min_open=True, max_open=True)
val_fraction = click.option(
    "--val-fraction", type=_share, default=0.15, show_default=True, help="Share for validation."
)
test_fraction = click.option(
    "--test-fraction", type=_share, default=0.3, show_default=True, help="Share for the test."
)
hold_out = click.option(
    "--hold-out",
    multiple=True,
    show_default="none",
    help="Folder such as Photo/box_12 that goes to the test whole; may be given several times.",
)
split_seed = click.option(
    "--split-seed",
    type=click.IntRange(0),
    default=42,
    show_default=True,
    help="Seed of the split.",
)
plan = click.option(
    "--plan",
    is_flag=True,
    help="Instead, plan several splits that each leave sources out: data/splits/.",
)
grow = click.option(
    "--grow",
    default="",
    metavar="NAME",
    show_default="none",
    help="Instead, grow a split by the labels of today, val and test as before:"
    " data/splits/NAME.csv.",
)
grown_from = click.option(
    "--from",
    "grown_from",
    default="",
    metavar="NAME",
    show_default="data/split.csv",
    help="With --grow: the split to grow from.",
)
families = click.option(
    "--families",
    type=click.Path(dir_okay=False, path_type=Path),
    show_default="each source on its own",
    help="With --plan: a YAML or JSON file, name: [folders that go together].",
)
