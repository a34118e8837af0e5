"""Where trials and shards run: a Dask cluster on this machine, or one that is there already."""

import asyncio
import logging
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from photoclf.errors import PhotoclfError

if TYPE_CHECKING:
    from distributed import Client

_ANSWER_SECONDS = 15
# What takes its worker along is tried elsewhere; Dask alone would give up after three.
_ALLOWED_FAILURES = 100


class ClusterError(PhotoclfError):
    """A cluster can't be reached, or its workers can't work."""


@contextmanager
def open_cluster(jobs: int, scheduler: str = "", see: Sequence[Path] = ()) -> Iterator["Client"]:
    """Open a cluster: each worker is a process that does one piece of work at a time.

    Args:
        jobs: Workers of a cluster of our own; it isn't reachable from other machines.
        scheduler: Address of a cluster that is there, such as `tcp://10.0.0.5:8786`; a cluster of
            our own when empty.
        see: Folders that all workers must see under the same path: they share disks.

    Yields:
        A client of the cluster.

    Raises:
        ClusterError: If the scheduler doesn't answer, has no worker, or a worker lacks the package
            or doesn't see the folder.
    """
    import dask
    from distributed import Client, LocalCluster

    settings = {
        "distributed.scheduler.allowed-failures": _ALLOWED_FAILURES,
        "distributed.comm.timeouts.connect": f"{_ANSWER_SECONDS}s",
        "distributed.scheduler.worker-saturation": 1.0,  # no trial waits for a busy worker
    }
    # What Dask logs of lost workers and connections, errors and the bar say in words.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with dask.config.set(settings):
        if scheduler:
            with _connected(scheduler) as client:
                _check_workers(client, see)
                yield client
            return
        cluster = LocalCluster(
            n_workers=jobs,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # any free port, for this machine alone
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        )
        with cluster, Client(cluster) as client:
            yield client


@contextmanager
def _connected(scheduler: str) -> Iterator["Client"]:
    from distributed import Client

    if not re.fullmatch(r"(tcp|tls)://[^\s/:]+:\d+|(tcp|tls)://\[[\da-fA-F:]+\]:\d+", scheduler):
        raise ClusterError(
            "A scheduler's address must be tcp://HOST:PORT or tls://HOST:PORT. Received:"
            f" {scheduler!r}. `dask scheduler` prints its own."
        )
    try:
        # Before a client, which whatever answers like no scheduler would hold up for ever. In a
        # thread, since a notebook's own loop is running.
        with ThreadPoolExecutor(1) as asking:
            asking.submit(asyncio.run, _answer(scheduler)).result()
        client = Client(scheduler, timeout=_ANSWER_SECONDS)
    except Exception as error:  # of whatever an answer in another language leads to
        raise ClusterError(
            f"The scheduler must answer within {_ANSWER_SECONDS} s. Received: {scheduler!r}"
            f" ({type(error).__name__}). Start it (dask scheduler), or check the address."
        ) from error
    with client:
        yield client


async def _answer(scheduler: str) -> None:
    from distributed.core import connect

    async with asyncio.timeout(_ANSWER_SECONDS):
        comm = await connect(scheduler)
        await comm.write({"op": "identity", "reply": True})
        await comm.read()
        await comm.close()


def _check_workers(client: "Client", see: Sequence[Path]) -> None:
    try:
        client.wait_for_workers(1, timeout=_ANSWER_SECONDS)
    except TimeoutError as error:
        raise ClusterError(
            "A cluster must have a worker. Received: a scheduler with none. Start some:"
            f" dask worker {client.scheduler.address} --nthreads 1"
        ) from error
    folders = [str(folder) for folder in see]

    # An inner function travels by value: a worker without the package can still say so.
    def facts() -> tuple[bool, list[str]]:
        import importlib.util
        import os

        has_package = importlib.util.find_spec("photoclf") is not None
        return has_package, [folder for folder in folders if not os.path.isdir(folder)]

    found = client.run(facts)
    for worker, (has_package, unseen) in found.items():
        if not has_package:
            raise ClusterError(
                f"A worker must have photoclf installed. Received: {worker} without it. Start it"
                " from an environment with the same lock."
            )
        if unseen:
            raise ClusterError(
                f"A worker must see the disks that it works on. Received: {worker}, which doesn't"
                f" see {unseen[0]}. Mount it there under the same path."
            )
