"""The running average of a model's weights, which is what is validated and kept."""

from typing import Any

from photoclf.backend import keras, tf


class WeightAverage(keras.callbacks.Callback):
    """Validate, and keep, the running average of a model's weights instead of its last weights.

    At a constant step size a small network with batch norm swings about its way: one epoch in
    five may score far worse than its neighbours, and patience would take that for the end. The
    average of the last 50 or so steps hardly swings. Batch norm's statistics are averaged too, so
    that they fit the averaged weights. Training itself goes on with the last weights.

    Args:
        momentum: Weight of the past at each step; less during the first steps, of which there are
            too few to average.

    Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992.
    """

    def __init__(self, momentum: float = 0.98) -> None:
        super().__init__()
        self.momentum = momentum
        self.variables: list[tf.Variable] = []

    def attach(self, model: keras.Model) -> None:
        """Begin with the model's weights as they are, unless begun before."""
        self.set_model(model)
        if not self.variables:
            self._followed = [v.value for v in model.variables if v.dtype.startswith("float")]
            self.variables = [tf.Variable(v, trainable=False) for v in self._followed]
            self._update = tf.function(self._update_eagerly, autograph=False)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin with the model's weights, unless `attach` did."""
        self.attach(self.model)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Take the step's weights into the average."""
        step = int(self.model.optimizer.iterations)
        self._update(tf.constant(min(self.momentum, (1 + step) / (10 + step)), tf.float32))

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Validate with the average."""
        self.swap()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Go on with the last weights."""
        self.swap()

    def swap(self) -> None:
        """Exchange the model's weights and the average; twice is as they were."""
        for weights, average in zip(self._followed, self.variables, strict=True):
            last = weights.numpy()
            weights.assign(average)
            average.assign(last)

    def _update_eagerly(self, momentum: tf.Tensor) -> None:
        for weights, average in zip(self._followed, self.variables, strict=True):
            average.assign_add((1 - momentum) * (weights - average))
