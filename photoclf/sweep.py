"""A sweep: the trials of a space, run at once on a cluster, resumable at any point."""

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pandas as pd

from photoclf import steps
from photoclf.cluster import ClusterError, open_cluster
from photoclf.locks import locked
from photoclf.paths import Workspace, remember_archive, resolve_archive
from photoclf.search import Planned, Round
from photoclf.space import Space
from photoclf.split import read_split, split_hash
from photoclf.sweep_bar import SweepBar
from photoclf.sweep_plan import Means, SweepError, plan_means
from photoclf.sweep_state import ENDED, Sweep
from photoclf.trials import Trial, epochs_so_far, mark_interrupted, reached_state, run_trial

if TYPE_CHECKING:
    from distributed import Client, Future

# Deaths in a row without a new epoch after which a trial is left for the next start.
_DEATHS = 3
_TICK_SECONDS = 1.0


def run_sweep(
    space: Space,
    workspace: Workspace,
    *,
    max_trials: int | None = None,
    jobs: int | None = None,
    scheduler: str = "",
    retry_failed: bool = False,
    progress: bool = False,
) -> pd.DataFrame:
    """Run the trials of a space that aren't finished, each as a papermill run of `03_train_run`.

    However it was stopped, the same call goes on: a finished trial is never run again, an
    interrupted one goes on from its last epoch, a failed one is left unless asked for. The table at
    the end is that of a sweep that nothing disturbed. The trials share the workspace's split and
    pixel cache, which is filled before the first of them.

    Args:
        space: From `read_space`.
        workspace: Must hold a split; see `paths.resolve_archive` for where its archive is found.
        max_trials: Trials at most, the first ones of the space; all by default.
        jobs: Trials at once on this machine; by default as many as it has cores, and memory for.
            The processor threads of a trial are set when the sweep begins, and kept, since another
            number of them would change last digits.
        scheduler: Address of a Dask cluster to run them on instead.
        retry_failed: Whether to run failed trials again.
        progress: Whether to show a bar over trials and epochs.

    Returns:
        The sweep's table, see `read_sweep`.

    Raises:
        ConfigError: If a number is out of range, or a network of the space can't be built or is too
            large for the memory.
        SweepError: If another process runs this sweep, or it was begun on another split.
        ClusterError: If the cluster doesn't answer, or its scheduler is lost.
        SplitError: If the workspace has no split.
    """
    means = plan_means(space, workspace, max_trials=max_trials, jobs=jobs, scheduler=scheduler)
    sweep = Sweep(space, workspace)
    alone = locked(sweep.folder / ".driver", wait=False, busy=_being_run(sweep))
    with alone, ExitStack() as stack:
        _begin(sweep, means)
        bar = SweepBar(space.name, means.trials, disable=not progress)
        stack.callback(bar.close)
        client = None
        for one in sweep.rounds(max_trials):
            todo = [p for p in one.trials if _is_open(sweep.trial(p), one.epochs, retry_failed)]
            if todo:
                sweep.write_trials()
                _fill_caches(workspace, todo, progress)
                if client is None:
                    place = workspace.root
                    client = stack.enter_context(open_cluster(means.jobs, scheduler, see=[place]))
                _run_round(client, sweep, one, todo, bar)
            states = [reached_state(sweep.trial(p), one.epochs) for p in one.trials]
            if not set(states) <= set(ENDED):
                break  # what comes next depends on them
        return sweep.write_results(max_trials)


def read_sweep(
    space: Space, workspace: Workspace, *, max_trials: int | None = None
) -> pd.DataFrame:
    """Read how far a sweep is.

    Returns:
        One row a trial that is decided so far: `trial` and `point` (from 0), `seed`, `state`
        (`waiting`, `running`, `interrupted`, `paused` by halving until the others of its round are
        as far, `dropped` by it, `done`, `failed`), `run_id`, a column for each varied parameter
        (lists as text such as `32,64`), `epochs` trained, `val_loss` and `val_accuracy` of the
        best epoch, `best_epoch` (from 0), `duration_s` of its training, and the `reason` when it
        was interrupted or failed.
    """
    return Sweep(space, workspace).table(max_trials)


def sweep_is_complete(space: Space, workspace: Workspace, *, max_trials: int | None = None) -> bool:
    """Tell whether every trial of a sweep, or every one of its first ones, ended well."""
    return Sweep(space, workspace).is_complete(max_trials)


def _being_run(sweep: Sweep) -> SweepError:
    return SweepError(
        f"A sweep must be run by one process at a time. Received: {sweep.space.name}, which"
        " another process is running. Watch that one, or wait until it ends."
    )


def _begin(sweep: Sweep, means: Means) -> None:
    workspace = sweep.workspace
    (sweep.folder / "done").unlink(missing_ok=True)
    sweep.begin(split_hash(read_split(workspace.split)), means.threads, means.memory)


def _is_open(trial: Trial, epochs: int | None, retry_failed: bool) -> bool:
    state = reached_state(trial, epochs)
    return state not in ENDED or (state == "failed" and retry_failed)


def _fill_caches(workspace: Workspace, todo: Sequence[Planned], progress: bool) -> None:
    """Decode what the trials will read, once, before they start side by side."""
    # Workers elsewhere don't have this environment.
    remember_archive(workspace, resolve_archive(None, workspace))
    sizes = {(c.image_size, c.fit, c.storage) for c in (p.config.resolved() for p in todo)}
    for size, fit, storage in sorted(sizes, key=str):
        steps.cache(workspace, image_size=size, fit=fit, storage=storage, progress=progress)


def _run_round(
    client: "Client", sweep: Sweep, one: Round, todo: Sequence[Planned], bar: SweepBar
) -> None:
    deaths: Counter[int] = Counter()
    epochs = {p.trial: epochs_so_far(sweep.trial(p)) for p in todo}
    running = {_submit(client, sweep.trial(p), one.epochs): p for p in todo}
    bar.tell(*sweep.standing(one))
    try:
        while running:
            ended = _ended(client, list(running))
            for future in ended:
                planned = running.pop(future)
                trial = sweep.trial(planned)
                if _state_after(future, trial) != "interrupted":
                    continue
                reached = epochs_so_far(trial)
                further = reached > epochs[planned.trial]
                deaths[planned.trial] = 1 if further else deaths[planned.trial] + 1
                epochs[planned.trial] = reached
                if deaths[planned.trial] < _DEATHS:
                    running[_submit(client, trial, one.epochs)] = planned
            if ended:
                bar.tell(*sweep.standing(one))
            bar.show([(p.trial, sweep.trial(p)) for p in running.values()])
    finally:
        with suppress(Exception):  # the cluster may be gone
            client.cancel(list(running))


def _submit(client: "Client", trial: Trial, epochs: int | None) -> "Future":
    return client.submit(run_trial, trial, epochs, pure=False)


def _ended(client: "Client", futures: list["Future"]) -> set["Future"]:
    from distributed import wait
    from distributed.client import FuturesCancelledError

    if client.status == "running":
        try:
            return set(wait(futures, timeout=_TICK_SECONDS, return_when="FIRST_COMPLETED").done)
        except TimeoutError:
            return set()
        except FuturesCancelledError:
            pass
    raise ClusterError(
        "The scheduler must live as long as the sweep. Received: its connection is lost."
        " Start it again, and run the same command, which goes on where this one was."
    )


def _state_after(future: "Future", trial: Trial) -> str:
    try:
        return str(future.result())
    except Exception as error:
        # Its worker died with it, or the disk is full: what it did stands in its run's folder.
        with suppress(OSError):
            mark_interrupted(trial, f"{type(error).__name__}: {error}")
        return "interrupted"
