"""One verb: train a config on the workspace's split, and leave a run that explains itself."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from photoclf.averaging import WeightAverage
from photoclf.backend import configure, keras, tf
from photoclf.cache import PixelCache, build_cache_for
from photoclf.cached_scores import score_cached
from photoclf.callbacks import EpochBoard, EpochProgress, StopAtMinimum
from photoclf.classifier import Classifier
from photoclf.config import RunConfig
from photoclf.datasets import make_dataset, steps_per_epoch
from photoclf.decode import DECODER_VERSION
from photoclf.errors import RunError, check_whole
from photoclf.export import export_model
from photoclf.files import sha256_file, write_json
from photoclf.heads import count_kinds
from photoclf.hparams import write_hparams
from photoclf.locks import locked
from photoclf.models import AVERAGED, build_model
from photoclf.paths import Workspace, resolve_archive
from photoclf.pretrained import weights_facts
from photoclf.probe import fit_probe
from photoclf.provenance import collect_provenance
from photoclf.run import Run, create_run, finish_run, verify_run, write_val_scores
from photoclf.runs import find_run
from photoclf.split import read_split, split_hash
from photoclf.training_views import is_frozen, is_pretrained, set_head, training_view
from photoclf.views import piece_keys

# Images on which the exported model must agree with the original.
CHECKED_IMAGES = 256


def train(
    config: RunConfig,
    workspace: Workspace,
    *,
    archive: str | Path | None = None,
    resume: bool = True,
    stop_after: int | None = None,
    progress: bool = True,
) -> Run:
    """Train a model, or go on with a training that was cut short.

    The train side of `data/split.csv` is learnt, the val side stops at the minimum; no score of
    the test side is computed. On the same machine and number of threads the same config and split
    give bit-identical weights, killed and resumed or not.

    Args:
        config: The run's choices.
        workspace: Its split is read; its cache and `models/` are written.
        archive: The archive's folder, see `paths.resolve_archive`.
        resume: Whether to return a finished run of the same config and split, or to go on with an
            unfinished one after its last finished epoch, instead of starting anew.
        stop_after: Epochs after which training pauses: the run stays unfinished, to go on later as
            if it had never paused. To the end by default.
        progress: Whether to show bars and say what is going on, on the error stream.

    Returns:
        The finished run, or the paused one.

    Raises:
        ConfigError: If `stop_after` isn't a whole number from 1.
        SplitError: If there is no split, it leaks, or a side lacks a class.
        WeightsError: If the model's pretrained weights are missing or damaged.
        RunError: If a loss becomes NaN, another process trains the run, memory runs out, or the
            exported model differs.

    Example:
        >>> run = train(RunConfig(epochs=3), Workspace("."))  # doctest: +SKIP
        >>> len(run.history)  # doctest: +SKIP
        3
    """
    config = config.resolved()
    pause = config.epochs if stop_after is None else check_whole("stop_after", stop_after, 1, 1000)
    epochs = min(config.epochs, pause)
    split = read_split(workspace.split)
    run = find_run(workspace.models, config, split_hash(split)) if resume else None
    if run is not None and run.done:
        verify_run(run)
        _say(progress, f"{run.run_id}: finished before with this config and split, returned as is")
        return run
    place = resolve_archive(archive, workspace)
    threads = configure(
        seed=config.seed,
        threads=config.threads,
        gpu_memory_limit_mib=config.gpu_memory_limit_mib,
    )
    # All sides at once: the pixels of test are decoded here, but looked at by `evaluate` alone.
    cache = build_cache_for(config, place, split, workspace.cache, progress=progress)
    if run is not None and run.provenance.get("threads") != threads:
        _say(True, f"{run.run_id}: began with another number of threads; its last bits may differ")
    kinds = count_kinds(_side(split, "train"), config.target)
    model = build_model(config, kinds)  # before the run's folder: an impossible network leaves none
    run = run or create_run(
        workspace.models, config, _provenance(config, split, workspace, threads)
    )
    with locked(run.folder / ".training", wait=False, busy=_being_trained(run)):
        if run.done:  # by another process, since we looked
            return run
        stopper = StopAtMinimum(
            run.folder,
            patience=config.patience,
            scorer=model,
            average=WeightAverage() if config.model in AVERAGED else None,
        )
        view = training_view(model)
        first_epoch = stopper.resume(view)
        if first_epoch:
            _say(progress, f"{run.run_id}: going on after {first_epoch} finished epochs")
        elif is_pretrained(config):
            probe = fit_probe(
                config, split, cache, place, workspace.features, threads=threads, progress=progress
            )
            set_head(model, probe.head)
            _record(probe.measures, view, [EpochBoard(run.logs), stopper])
        frozen = is_frozen(config)
        if not frozen:
            _fit(run, view, config, split, cache, stopper, epochs, progress)
        if not (frozen or stopper.stopped) and len(stopper.rows) < config.epochs:
            _say(progress, f"{run.run_id}: paused after {len(stopper.rows)} epochs")
            return run
        _export(run, split, cache)
        _score_val(run, split, cache, threads)
        write_hparams(run)
        finish_run(run)
        stopper.finish()
    return run


def _provenance(
    config: RunConfig, split: pd.DataFrame, workspace: Workspace, threads: int
) -> dict[str, object]:
    manifest = workspace.manifest
    return collect_provenance(
        split_hash=split_hash(split),
        manifest_hash=sha256_file(manifest) if manifest.is_file() else "",
        seed=config.seed,
        threads=threads,
        weights=weights_facts(config.model),
        pieces=piece_keys(config.pieces),
    )


def _record(
    measures: Mapping[str, float], view: keras.Model, callbacks: list[keras.callbacks.Callback]
) -> None:
    """Have callbacks record an epoch that wasn't fitted by steps."""
    view.optimizer.build(view.trainable_variables)  # what the checkpoint holds
    all_of_them = keras.callbacks.CallbackList(callbacks, model=view)
    all_of_them.on_train_begin()
    all_of_them.on_epoch_begin(0)
    all_of_them.on_epoch_end(0, dict(measures))
    all_of_them.on_train_end()


def _fit(
    run: Run,
    view: keras.Model,
    config: RunConfig,
    split: pd.DataFrame,
    cache: PixelCache,
    stopper: StopAtMinimum,
    epochs: int,
    progress: bool,
) -> None:
    done = len(stopper.rows)
    if stopper.stopped or done >= epochs:
        return
    train_rows = _side(split, "train")
    batches = make_dataset(
        cache,
        train_rows,
        batch_size=config.batch_size,
        training=True,
        seed=config.seed,
        augmentation=config.augmentation,
        first_epoch=done,
    )
    val_batches = make_dataset(
        cache, _side(split, "val"), batch_size=config.batch_size, training=False
    )
    # The board before the stopper: what a kill between them leaves is an epoch logged twice,
    # of which readers take the last, instead of one that is missing.
    callbacks = [EpochBoard(run.logs), stopper]
    if stopper.average is not None:
        callbacks.insert(0, stopper.average)
    if progress:
        callbacks.insert(0, EpochProgress())
    with _told_memory(config):
        view.fit(
            batches,
            steps_per_epoch=steps_per_epoch(len(train_rows), config.batch_size),
            initial_epoch=done,
            epochs=epochs,
            validation_data=val_batches,
            callbacks=callbacks,
            shuffle=False,
            verbose=0,
        )


def _export(run: Run, split: pd.DataFrame, cache: PixelCache) -> None:
    rows = cache.rows(_side(split, "val")["pathname"])
    some = np.linspace(0, len(rows) - 1, min(CHECKED_IMAGES, len(rows))).astype(int)
    facts = export_model(run.best_model, cache.pixels[rows[some]], run.folder)
    write_json(
        run.folder / "model.json",
        {
            "image_size": cache.image_size,
            "fit": cache.fit,
            "decoder_version": DECODER_VERSION,
            **facts,
        },
    )


def _score_val(run: Run, split: pd.DataFrame, cache: PixelCache, threads: int) -> None:
    # By the exported model, which is what will predict, and without another pass of Keras.
    rows = _side(split, "val")
    classifier = Classifier.load(run, as_trained=True, threads=threads)
    write_val_scores(run, rows, score_cached(classifier, cache, rows["pathname"]))


def _side(split: pd.DataFrame, side: str) -> pd.DataFrame:
    return split[split["split"] == side]


def _being_trained(run: Run) -> RunError:
    return RunError(
        f"A run must be trained by one process at a time. Received: {run.run_id}, which"
        " another process is training. Wait for it, or pass resume=False for a second run."
    )


@contextmanager
def _told_memory(config: RunConfig) -> Iterator[None]:
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise RunError(
            f"A step must fit into memory. Received: batches of {config.batch_size} images of"
            f" {config.image_size} px, which don't. Lower `batch_size` or `image_size`."
        ) from error


def _say(progress: bool, message: str) -> None:
    if progress:
        print(message, file=sys.stderr)
