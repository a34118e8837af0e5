"""A sweep killed again and again must end as one that nothing disturbed.

    python tests/chaos_sweep.py --trials 6 --kills 12

draws a small archive, runs a sweep in peace, and runs it again while killing, with `kill -9` and at
random moments, its driver, the kernel of a trial, or a worker; a driver that is gone is started
again. At the end the two tables must be equal in every figure, and so must the models' bytes.
"""

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil

from photoclf import steps
from photoclf.demo_archive import draw_demo_archive
from photoclf.files import sha256_file
from photoclf.paths import Workspace
from photoclf.space_file import read_space
from photoclf.sweep import read_sweep

TARGETS = ("driver", "trial", "worker")
# These differ between any two sweeps: when a run began, and how long it took.
OWN = ("run_id", "duration_s", "reason")
LONGEST = 1800.0  # seconds, so that a sweep that hangs is told


def prepare(folder, archive, trials):
    """Make a workspace with a split, and a space of so many trials."""
    workspace = Workspace(folder / "calm")
    steps.scan(workspace, archive)
    steps.audit(workspace)
    steps.split(workspace)
    shutil.copytree(workspace.root, folder / "disturbed")
    space = folder / "chaos.yaml"
    space.write_text(
        "question: Does it survive?\n"
        "base: {image_size: 32, epochs: 3, patience: 3, batch_size: 4, filters: [4, 8]}\n"
        f"parameters: {{dropout: {[round(0.05 * i, 2) for i in range(trials)]}}}\n"
    )
    return workspace, Workspace(folder / "disturbed"), space


def start(workspace, space):
    """Start a sweep's driver."""
    command = [sys.executable, "-m", "photoclf", "sweep", space, "--workspace", workspace.root]
    return subprocess.Popen(
        [*map(str, command), "--jobs", "2"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def victims(driver, target):
    """List the processes of a kind that a driver has."""
    with suppress(psutil.Error):
        below = psutil.Process(driver.pid).children(recursive=True)
        kernels = [p for p in below if "ipykernel_launcher" in " ".join(p.cmdline())]
        workers = [p for p in below if any("spawn_main" in part for part in p.cmdline())]
        return {"driver": [driver], "trial": kernels, "worker": workers}[target]
    return []


def disturb(workspace, space, kills, chance):
    """Run a sweep to its end in spite of so many kills; return how many hit what."""
    hit = Counter()
    deadline = time.monotonic() + LONGEST
    driver = start(workspace, space)
    while True:
        if time.monotonic() > deadline:
            driver.kill()
            raise TimeoutError(f"the sweep did not end; killed so far: {dict(hit)}")
        # From the first import to the middle of a trial and beyond.
        with suppress(subprocess.TimeoutExpired):
            driver.wait(timeout=chance.uniform(0.5, 9.0) if hit.total() < kills else 600)
        if driver.poll() is None and hit.total() < kills:
            target = chance.choice(TARGETS)
            found = victims(driver, target)
            if found:
                with suppress(psutil.Error):
                    chance.choice(found).send_signal(signal.SIGKILL)
                    hit[target] += 1
                if target == "driver":
                    driver.wait()
        if driver.poll() is None:
            continue
        if driver.returncode == 0:
            return hit
        driver = start(workspace, space)


def outcome(workspace, space):
    """Return what must be equal: the table's figures, and the models' bytes."""
    table = read_sweep(read_space(space), workspace)
    models = [sha256_file(workspace.models / name / "model.tflite") for name in table.run_id]
    return table.drop(columns=list(OWN)).assign(model=models)


def orphans(workspace):
    """List the kernels that still run in a workspace."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cwd() == str(workspace.root) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def run(folder, *, trials, kills, seed, archive=None):
    """Run both sweeps, and return their outcomes with what was killed."""
    if archive is None:
        archive = folder / "archive"
        draw_demo_archive(archive, images_per_class=10)
    calm, disturbed, space = prepare(folder, archive, trials)
    assert start(calm, space).wait() == 0
    hit = disturb(disturbed, space, kills, random.Random(seed))
    return outcome(calm, space), outcome(disturbed, space), hit


def main():
    """Run it from the command line; exit code 1 when the outcomes differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    options = vars(parser.parse_args())
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        expected, found, hit = run(Path(folder), **options)
    print(found.to_string(index=False))
    print(f"killed with -9: {dict(hit)}, {time.monotonic() - started:.0f} s")
    print("equal to the undisturbed sweep:", expected.equals(found))
    return 0 if expected.equals(found) else 1


if __name__ == "__main__":
    sys.exit(main())
