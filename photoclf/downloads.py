"""Weights that are downloaded once, kept, and used only with the hash that is pinned for them."""

import hashlib
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from photoclf.errors import WeightsError
from photoclf.files import replacing

_SECONDS = 60.0  # without a byte
_CHUNK = 2**20


@dataclass(frozen=True)
class DownloadedWeights:
    """Weights that a server has.

    Args:
        url: Where they are.
        digest: What the file must hash to, by SHA-256 (64 hexadecimal digits) or, where their
            publisher pins nothing better, MD5 (32).
        licence: Their licence, by its SPDX name.
        trained_on: What their publisher trained them on.
    """

    url: str
    digest: str
    licence: str
    trained_on: str

    @property
    def path(self) -> Path:
        """Where they are kept: `models/` of `$KERAS_HOME`, or of `~/.keras`."""
        home = os.environ.get("KERAS_HOME") or "~/.keras"
        return Path(home).expanduser() / "models" / self.url.rsplit("/", 1)[1]

    def facts(self) -> dict[str, str]:
        """Return what a run records of its weights: where from, which, under what licence."""
        return {
            "source": self.url,
            "sha256": _digest(self.path.read_bytes(), 64) if self.path.is_file() else "",
            "pinned": self.digest,
            "licence": self.licence,
            "trained_on": self.trained_on,
        }

    def fetch(self) -> Path:
        """Return the file, checked; it is downloaded when it isn't there.

        Raises:
            WeightsError: If it can't be downloaded, comes short, or isn't the one that is pinned.
        """
        if self.path.is_file():
            self._check(self.path.read_bytes(), f"the kept {self.path}", "Delete it.")
            return self.path
        data = self._download()
        self._check(data, f"{len(data)} bytes from {self.url}", "Nothing was kept; try again.")
        with replacing(self.path) as file:
            file.write(data)
        return self.path

    def _download(self) -> bytes:
        parts = []
        try:
            # The address is one of ours, never a user's.
            with urllib.request.urlopen(self.url, timeout=_SECONDS) as answer:
                expected = int(answer.headers.get("Content-Length") or -1)
                while part := answer.read(_CHUNK):
                    parts.append(part)
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise self._missing(str(error)) from error
        data = b"".join(parts)
        if expected >= 0 and len(data) != expected:
            raise self._missing(f"{len(data)} of {expected} bytes")
        return data

    def _missing(self, why: str) -> WeightsError:
        return WeightsError(
            f"Pretrained weights must be downloaded once.\nReceived: {why}, from {self.url}.\n"
            f"Fetch that file on a machine that reaches it and put it into {self.path.parent}"
            " (or set KERAS_HOME to where it is), or train efficientnet_lite2, whose weights are"
            " installed, or compact_cnn, which needs none."
        )

    def _check(self, data: bytes, what: str, remedy: str) -> None:
        received = _digest(data, len(self.digest))
        if received != self.digest:
            raise WeightsError(
                f"Pretrained weights must be what was published.\n- {self.digest}\n+ {received}\n"
                f"Received: {what}. {remedy}"
            )


def _digest(data: bytes, digits: int) -> str:
    if digits == 64:
        return hashlib.sha256(data).hexdigest()
    # Nobody can make another file of a given MD5; only its publisher could make two at once.
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
