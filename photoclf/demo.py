"""The demonstration: an archive that is drawn, taken to the report; the release on it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tqdm import tqdm

from photoclf.config import RunConfig
from photoclf.demo_archive import draw_demo_archive
from photoclf.errors import ArchiveError
from photoclf.evaluate import evaluate
from photoclf.evaluation import read_evaluation
from photoclf.files import read_json
from photoclf.paths import Workspace, remembered_archive
from photoclf.pipeline import PipelineOptions, run_pipeline
from photoclf.run import Run
from photoclf.runs import load_run, read_choice
from photoclf.shipped import NAME as RELEASE
from photoclf.shipped import release_comes_with_project
from photoclf.split import read_split, split_hash

# Small enough for a newcomer's five minutes; its figures are those of drawings, never the
# project's quality.
DEMO_CONFIGS = (
    RunConfig(model="compact_cnn", epochs=16, patience=4, augmentation="light"),
    RunConfig(model="reference_cnn", image_size=128, epochs=4),
)


def run_demo(
    workspace: Workspace, *, say: Callable[[str], None] = print, progress: bool = False
) -> Path:
    """Draw the demo archive and take it through the pipeline.

    Returns:
        The French report. Its figures are those of drawings, never the project's quality.

    Raises:
        ArchiveError: If the workspace already belongs to another archive.
    """
    archive = workspace.data / "demo_archive"
    place = remembered_archive(workspace)
    if place is not None and place != archive:
        raise ArchiveError(
            f"The demo must have a workspace of its own. Received: {workspace.root}, which belongs"
            f" to the archive {place}. Give another one: photoclf demo --workspace DIR."
        )
    bar = partial(tqdm, desc="draw", unit="image") if progress else None
    images = draw_demo_archive(archive, progress=bar)
    say(f"demo archive: {images} files in {archive}")
    options = PipelineOptions(configs=DEMO_CONFIGS)
    page = run_pipeline(workspace, archive, options, say=say, progress=progress)
    if release_comes_with_project():
        _show_release(workspace, say)
    return page


def _show_release(workspace: Workspace, say: Callable[[str], None]) -> None:
    """Evaluate the release on the demo archive, none of whose images it was trained on."""
    run = load_run(workspace.models, RELEASE)
    path, wanted = run.eval_folder / "metrics.json", split_hash(read_split(workspace.split))
    done = path.is_file() and read_json(path).get("split_hash") == wanted
    evaluation = read_evaluation(run) if done else evaluate(run, workspace)
    test, chosen = evaluation.figures["test"], read_choice(workspace.choice, workspace.models)
    wrong = test["confusion"]["fp"] + test["confusion"]["fn"]
    say(
        f"release, on the demo's test side: {wrong} errors of {test['images']} images"
        f" ({chosen.config.model} that was trained on it: {_errors(chosen)}). To use it on a folder"
        " of your own: photoclf predict FOLDER --model release"
    )


def _errors(run: Run) -> int:
    counts = read_evaluation(run).figures["test"]["confusion"]
    return counts["fp"] + counts["fn"]
