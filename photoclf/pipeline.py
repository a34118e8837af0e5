"""From an archive folder to the report: every step in order, those already done skipped."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from photoclf import comparison_report, steps
from photoclf.config import RunConfig
from photoclf.decode import DECODER_VERSION
from photoclf.errors import ArchiveError
from photoclf.evaluate import evaluate
from photoclf.evaluation import read_evaluation
from photoclf.files import sha256_file
from photoclf.heat import HEAT
from photoclf.journal import Journal
from photoclf.listing import walk_files
from photoclf.manifest import IGNORED_FOLDERS, POSITIVE_FOLDER
from photoclf.messages import LANGUAGES
from photoclf.paths import Workspace, resolve_archive
from photoclf.report import FILE_NAMES, render_report
from photoclf.run import Run, verify_run
from photoclf.runs import comparable_runs, find_run
from photoclf.split import (
    TEST_FRACTION,
    VAL_FRACTION,
    check_fractions,
    read_split,
    split_hash,
)


@dataclass(frozen=True)
class PipelineOptions:
    """What a pipeline may be told.

    Args:
        configs: The runs to train and compare.
        positive_folder: See `manifest.scan_archive`.
        ignored_folders: Class folders without labels; those that hold images are predicted.
        val_fraction: See `split.make_split`.
        test_fraction: See `split.make_split`.
        hold_out: See `split.make_split`.
        seed: Seed of the split.
    """

    configs: Sequence[RunConfig] = (RunConfig(),)
    positive_folder: str = POSITIVE_FOLDER
    ignored_folders: Collection[str] = IGNORED_FOLDERS
    val_fraction: float = VAL_FRACTION
    test_fraction: float = TEST_FRACTION
    hold_out: Collection[str] = ()
    seed: int = 42

    def __post_init__(self) -> None:
        # Here, since the split comes after an audit that may take hours.
        check_fractions(self.val_fraction, self.test_fraction)


def run_pipeline(
    workspace: Workspace,
    archive: str | Path | None = None,
    options: PipelineOptions | None = None,
    *,
    say: Callable[[str], None] = print,
    progress: bool = False,
) -> Path:
    """Take an archive through scan, audit, split, training, comparison, evaluation and report.

    A step is skipped when what it reads hasn't changed since it was done and what it wrote is
    still there. A killed pipeline therefore goes on where it was, and a finished one ends at once.

    Args:
        workspace: Where everything is written.
        archive: The archive's folder; see `paths.resolve_archive`.
        options: What to train and how to split.
        say: Called with one line a step.
        progress: Whether long steps show a progress bar.

    Returns:
        The French report.
    """
    options = options or PipelineOptions()
    place = resolve_archive(archive, workspace)
    say(f"archive: {place}")
    journal = Journal(workspace, say)
    listing = _listing_hash(place)
    labelling = [options.positive_folder, sorted(options.ignored_folders)]
    journal.step(
        "scan",
        [str(place), listing, labelling],
        [workspace.manifest],
        lambda: steps.scan(
            workspace,
            place,
            positive_folder=options.positive_folder,
            ignored_folders=options.ignored_folders,
        ),
    )
    journal.step(
        "audit",
        [str(place), listing, labelling, sha256_file(workspace.manifest), DECODER_VERSION],
        [workspace.audit],
        lambda: steps.audit(
            workspace, place, ignored_folders=options.ignored_folders, progress=progress
        ),
    )
    if steps.manifest_was_edited(workspace):
        say("scan: kept data/manifest.csv as somebody edited it; to scan anew, move it away")
    fractions = [options.val_fraction, options.test_fraction, sorted(options.hold_out)]
    journal.step(
        "split",
        [sha256_file(workspace.audit), fractions, options.seed],
        [workspace.split],
        lambda: steps.split(
            workspace,
            val_fraction=options.val_fraction,
            test_fraction=options.test_fraction,
            hold_out=options.hold_out,
            seed=options.seed,
        ),
        keep_others=True,
    )
    wanted = split_hash(read_split(workspace.split))
    for config in options.configs:
        _train(config, workspace, wanted, say, progress)
    # All of them, also those that other commands trained: the best run may be among them.
    marks = [_mark(run) for run in comparable_runs(workspace)]
    comparison = comparison_report.comparison_folder(workspace)
    journal.step(
        "compare",
        [wanted, marks],
        [workspace.choice, *(comparison / name for name in comparison_report.FILE_NAMES.values())],
        lambda: comparison_report.compare(workspace),
    )
    run = steps.find_run_named(workspace)
    journal.step(
        f"evaluate {run.run_id}",
        [wanted, _mark(run)],
        [run.eval_folder / "metrics.json", run.eval_folder / "predictions.csv"],
        lambda: evaluate(run, workspace, progress=progress),
    )
    figures = read_evaluation(run).figures["test"]["metrics"]
    shown = ", ".join(f"{name} {figures[name] or 0:.3f}" for name in ("recall", "precision", "f1"))
    say(f"chosen run: {run.run_id}; on its test images: {shown}")
    metrics = sha256_file(run.eval_folder / "metrics.json")
    reports = workspace.reports / run.run_id
    for name in sorted(options.ignored_folders):
        if (place / name).is_dir() and any((place / name).iterdir()):
            out = reports / f"predictions_{name}.csv"
            journal.step(
                f"predict {name}",
                [_mark(run), metrics, listing],
                [out],
                partial(steps.predict, workspace, place / name, run, out=out, progress=progress),
            )
    journal.step(
        "explain",
        [_mark(run), metrics],
        [run.eval_folder / HEAT, run.eval_folder / "neighbours.csv"],
        partial(_explain, run, workspace, place),
    )
    inputs = [_mark(run), metrics, sha256_file(workspace.audit)]
    pages = {lang: reports / FILE_NAMES[lang] for lang in LANGUAGES}
    for lang in LANGUAGES:
        journal.step(
            f"report {lang}",
            inputs,
            [pages[lang]],
            partial(render_report, run, workspace, lang=lang, archive=place),
        )
    return pages["fr"]


def _listing_hash(archive: Path) -> str:
    lines, listing = 0, hashlib.sha256()
    for name, size, mtime_ns, _ in walk_files(archive):
        lines += 1
        listing.update(f"{name};{size};{mtime_ns}\n".encode("utf-8", "surrogatepass"))
    if not lines:
        raise ArchiveError(f"An archive must hold files. Received: {archive}, empty.")
    return listing.hexdigest()


def _train(
    config: RunConfig,
    workspace: Workspace,
    wanted: str,
    say: Callable[[str], None],
    progress: bool,
) -> None:
    run = find_run(workspace.models, config, wanted)
    if run is not None and run.done:
        verify_run(run)
        say(f"train {config.model}: done before")
        return
    say(f"train {config.model} …" if run is None else f"train {config.model}: going on …")
    # Here: a pipeline that has nothing to train doesn't wait for TensorFlow.
    from photoclf.train import train

    train(config, workspace, progress=progress)


def _explain(run: Run, workspace: Workspace, archive: Path) -> None:
    # Here: a pipeline that has nothing to explain doesn't wait for TensorFlow.
    from photoclf.neighbours import illustrate_errors

    illustrate_errors(run, workspace, archive=archive)


def _mark(run: Run) -> str:
    return run.run_id + sha256_file(run.folder / "done")
