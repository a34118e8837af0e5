"""One run's choices: frozen, checked, readable as JSON, and hashed the same everywhere."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from photoclf.errors import ConfigError, did_you_mean
from photoclf.files import sha256_text
from photoclf.pretrained import APPLICATIONS

# What a model takes when the config leaves it open. The builders themselves are in `models`,
# which needs TensorFlow; a config must be checked, hashed and listed without it.
MODEL_DEFAULTS: dict[str, dict[str, Any]] = {
    "compact_cnn": {
        "image_size": 128,
        "filters": (16, 32, 64, 128),
        "dense_units": (),
        "dropout": 0.2,
    },
    **{name: {"image_size": 224, "dropout": 0.2} for name in APPLICATIONS},
    "efficientnet_lite0": {"image_size": 224, "dropout": 0.2},
    "efficientnet_lite2": {"image_size": 260, "dropout": 0.2},
    "reference_cnn": {
        "image_size": 400,
        "filters": (32, 64),
        "dense_units": (128, 64),
        "dropout": 0.5,
    },
}
FITS = ("squash", "letterbox", "crop")
STORAGES = ("exact", "compact")
AUGMENTATIONS = ("none", "light")
FEATURES = ("pooled", "stages", "all")
TARGETS = ("label", "class_folder")
BALANCES = ("none", "source")
# Choices that are a pretrained network's alone, with what leaves them open.
PRETRAINED_CHOICES: dict[str, Any] = {
    "fine_tune_from": None,
    "features": "pooled",
    "pieces": 0,
    "target": "label",
    "balance": "none",
    "strength": 0.001,
}
# Choices that came later, with what runs from before them chose: those are still found.
_LATER = {"storage": "exact", **PRETRAINED_CHOICES}


def _choice(default: Any, help: str, **rule: Any) -> Any:
    return field(default=default, metadata={"help": help, **rule})


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One run's choices.

    Every field has a default, a unit and a range, which the command line, the notebooks and the
    errors all take from here. `None` means "the model's own default" (`image_size`, `filters`,
    `dense_units`, `dropout`), "no limit" (`gpu_memory_limit_mib`, `threads`) or "nothing"
    (`fine_tune_from`).

    Raises:
        ConfigError: If a value has the wrong type or is out of range.

    Example:
        >>> RunConfig(model="reference_cnn").resolved().image_size
        400
    """

    model: str = _choice("compact_cnn", "network to train", choices=tuple(MODEL_DEFAULTS))
    image_size: int | None = _choice(
        None, "side of the square that the network sees, in px", low=16, high=1024
    )
    fit: str = _choice("squash", "how an image fills that square", choices=FITS)
    storage: str = _choice(
        "exact",
        "how decoded pixels are kept on disk; compact is a fifth of the size and changes them a"
        " little",
        choices=STORAGES,
    )
    batch_size: int = _choice(32, "images a step", low=1, high=4096)
    epochs: int = _choice(10, "epochs at most", low=1, high=1000)
    patience: int = _choice(
        2, "epochs without a lower val_loss before training stops", low=0, high=1000
    )
    learning_rate: float = _choice(1e-3, "Adam's step size", low=1e-7, high=1.0)
    filters: tuple[int, ...] | None = _choice(
        None, "filters of each convolutional stage", low=1, high=4096, items=(1, 8)
    )
    dense_units: tuple[int, ...] | None = _choice(
        None, "units of each dense layer before the output", low=1, high=8192, items=(0, 8)
    )
    dropout: float | None = _choice(None, "share of units dropped", low=0.0, high=0.95)
    fine_tune_from: int | None = _choice(
        None,
        "first block of a pretrained network that is trained with the head, counted from 0; none"
        " of them by default",
        low=0,
        high=99,
    )
    features: str = _choice(
        "pooled",
        "what the head of a pretrained network sees: what the network ends with, mean and spread of"
        " what its stages give, or all of it",
        choices=FEATURES,
    )
    pieces: int = _choice(
        0,
        "pieces of each training image, half of them with an archive's look, that the head of a"
        " pretrained network is fitted to beside the whole",
        low=0,
        high=8,
    )
    target: str = _choice(
        "label",
        "what the head of a pretrained network tells apart: photographs from the rest, or from each"
        " class folder",
        choices=TARGETS,
    )
    balance: str = _choice(
        "none",
        "whether classes weigh the same, and sources the square root of their size, when the head"
        " of a pretrained network is fitted",
        choices=BALANCES,
    )
    strength: float = _choice(
        0.001,
        "inverse of the penalty when the head of a pretrained network is fitted",
        low=1e-8,
        high=1e4,
    )
    augmentation: str = _choice(
        "none", "random changes of the training images", choices=AUGMENTATIONS
    )
    seed: int = _choice(42, "seed of weights, order, dropout and augmentation", low=0, high=2**31)
    threads: int | None = _choice(None, "processor threads; all by default", low=1, high=1024)
    gpu_memory_limit_mib: int | None = _choice(
        None, "GPU memory limit in MiB; no effect without a GPU", low=64, high=10**6
    )

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            object.__setattr__(self, f.name, _checked(f, getattr(self, f.name)))

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Make a config from names and values, refusing names that it doesn't have.

        Raises:
            ConfigError: If a name is unknown or a value out of range.
        """
        names = [f.name for f in dataclasses.fields(cls)]
        for name in values:
            if name not in names:
                raise ConfigError(
                    f"A run's parameter must be one of {', '.join(names)}."
                    f" Received: {name!r}.{did_you_mean(name, names)}"
                )
        return cls(**values)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a config that `to_json` wrote.

        Raises:
            ConfigError: If it isn't a JSON object, or `from_mapping` refuses it.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"A config must be JSON. Received: {error}.") from error
        if not isinstance(values, dict):
            raise ConfigError(f"A config must be a JSON object. Received: {text[:40]!r}.")
        return cls.from_mapping(values)

    def to_mapping(self) -> dict[str, Any]:
        """Return the fields as plain values that JSON and papermill take."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }

    def to_json(self) -> str:
        """Write the config as JSON, keys sorted."""
        return json.dumps(self.to_mapping(), indent=2, sort_keys=True) + "\n"

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed; unknown names are refused."""
        return type(self).from_mapping({**dataclasses.asdict(self), **changes})

    def resolved(self) -> Self:
        """Return a copy in which the model's own defaults stand where `None` stood."""
        defaults = MODEL_DEFAULTS[self.model]
        return self.replace(**{k: v for k, v in defaults.items() if getattr(self, k) is None})

    @property
    def hash8(self) -> str:
        """Eight hexadecimal digits that are equal for equal choices, on any machine."""
        choices = self.resolved().to_mapping()
        for name, before in _LATER.items():
            if choices[name] == before:
                del choices[name]
        return sha256_text(json.dumps(choices, indent=2, sort_keys=True) + "\n")[:8]


# The names of all choices.
CHOICES = tuple(f.name for f in dataclasses.fields(RunConfig))


def _checked(f: dataclasses.Field, value: Any) -> Any:
    rule = f.metadata
    optional = "None" in str(f.type)
    if value is None and optional:
        return None
    if "items" in rule:
        return _checked_tuple(f, value)
    if "choices" in rule:
        if value not in rule["choices"] or not isinstance(value, str):
            hint = did_you_mean(value, rule["choices"])
            raise ConfigError(
                f"`{f.name}` must be one of {rule['choices']}. Received: {value!r}.{hint}"
            )
        return value
    return _checked_number(f, value, float if "float" in str(f.type) else int)


def _checked_number(f: dataclasses.Field, value: Any, kind: type) -> Any:
    low, high = f.metadata["low"], f.metadata["high"]
    right_type = isinstance(value, int | float if kind is float else int)
    if isinstance(value, bool) or not right_type or not low <= value <= high:
        name = "a number" if kind is float else "a whole number"
        raise ConfigError(
            f"`{f.name}` ({f.metadata['help']}) must be {name} from {low} to {high}."
            f" Received: {value!r}."
        )
    return kind(value) + 0  # -0.0 becomes 0.0: equal choices have equal hashes


def _checked_tuple(f: dataclasses.Field, value: Any) -> tuple[int, ...]:
    fewest, most = f.metadata["items"]
    if not isinstance(value, list | tuple) or not fewest <= len(value) <= most:
        raise ConfigError(
            f"`{f.name}` ({f.metadata['help']}) must be a list of {fewest} to {most} whole"
            f" numbers. Received: {value!r}."
        )
    return tuple(_checked_number(f, item, int) for item in value)
