"""What tests have workers do: each kills, stalls or fills its process in its own way."""

import ctypes
import os
import sys
import time
from pathlib import Path

import numpy as np


def double_or_suffer(item):
    """Double a number; a word is what shall happen instead."""
    if isinstance(item, int):
        return 2 * item
    return {
        "exit": lambda: os._exit(3),
        "segfault": lambda: ctypes.string_at(0),
        "hang": lambda: time.sleep(600),
        "eat memory": lambda: np.ones(2**33, np.uint8).nbytes,
        "raise": lambda: 1 / 0,
        "noise": _make_noise,
        "process": os.getpid,
    }[item]()


def burn(seconds):
    """Keep a processor busy for so long."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def crash_once(path):
    """Die of a file that isn't there yet, and leave it behind."""
    if not Path(path).exists():
        Path(path).touch()
        os._exit(1)
    return "survived"


def linger(path):
    """Say that work has begun, then never end."""
    Path(path).write_text(str(os.getpid()))
    time.sleep(600)


def _make_noise():
    os.write(1, b"from native code to the output\n")
    os.write(2, b"from native code to the errors\n")
    print("from Python")
    print("from Python", file=sys.stderr)
    return sys.stdin.read()
