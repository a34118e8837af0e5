"""Whether a space's networks can be built and fit into memory, before any of them is trained."""

import os
from collections.abc import Sequence
from contextlib import closing

from photoclf.config import RunConfig
from photoclf.errors import ConfigError
from photoclf.workers import Lost, isolated_map

_FUNCTION_SECONDS = 120.0
_KEPT_FREE = 0.1  # of the machine's memory, for everything else
_SAME_NETWORK = (
    "model",
    "image_size",
    "filters",
    "dense_units",
    "batch_size",
    "features",
    "fine_tune_from",
)


def check_networks(configs: Sequence[RunConfig], have: int | None = None) -> list[int]:
    """Build each config's network, in a process that may be lost, and estimate its memory.

    Args:
        configs: Of the trials.
        have: Bytes of memory for one trial; `None` where nobody knows, as on another machine.

    Returns:
        Bytes of memory that each one's training takes, estimated.

    Raises:
        ConfigError: If a network can't be built, or one trial alone takes more than there is.
    """
    keys = [tuple(getattr(c.resolved(), name) for name in _SAME_NETWORK) for c in configs]
    different = dict(zip(keys, configs, strict=True))
    texts = [config.to_json() for config in different.values()]
    built = isolated_map(_network_memory, texts, workers=1, seconds=_FUNCTION_SECONDS)
    with closing(built):
        memory = dict(zip(different, built, strict=True))
    for key, needed in memory.items():
        choices = dict(zip(_SAME_NETWORK, key, strict=True))
        if isinstance(needed, str | Lost):
            raise ConfigError(
                "Every network of a space must be possible. Received:"
                f" {choices}: {needed if isinstance(needed, str) else needed.reason}"
            )
        if have is not None and needed > have:
            raise ConfigError(
                f"A trial must fit into memory, {have / 2**30:.1f} GiB here. Received: {choices},"
                f" which takes about {needed / 2**30:.1f} GiB. Lower `batch_size`, `image_size` or"
                " `filters`, or send the sweep to a cluster with --scheduler."
            )
    return [memory[key] for key in keys]


def usable_memory() -> int:
    """Return the bytes of memory that trials may take on this machine, all together."""
    import psutil

    total = psutil.virtual_memory().total
    for limit in _CONTAINER_LIMITS:  # a container may be given less than there is
        if os.path.exists(limit):
            with open(limit) as file:
                text = file.read().strip()
            if text.isdigit():
                total = min(total, int(text))
    return int(total * (1 - _KEPT_FREE))


def _network_memory(config_json: str) -> int | str:
    # In the worker: it needs TensorFlow, which a sweep's own process does without.
    from photoclf.footprint import network_memory

    return network_memory(config_json)


_CONTAINER_LIMITS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)
