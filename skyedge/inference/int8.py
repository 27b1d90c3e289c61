"""A forward pass for tiny networks in whole numbers, with numpy alone: what flies on the satellite.

Weights are int8, activations whole numbers from 0 to 255.  Products are summed in float32 matrix products, which is
exact as long as every sum stays below 2²⁴; so an answer is the same to the last bit on every processor and in every
batch.  That bound is checked when a network is made.

The format, which :mod:`skyedge.learning.quantise` writes:

* the picture is its own uint8 values (scale 1/255, no offset);
* ``Convolution``: sums = weights * activations + bias (int32); then activation = round(sums x multiplier) clipped to
  0..255, which is also the ReLU; ``multiplier`` is one float32 an output channel;
* ``GlobalAverage``: the mean of each channel, kept as a whole number of 1/16 steps to lose little;
* ``Dense``: logits = (weights @ activations + bias) x scale, float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError

EXACT_BELOW = 2**24
MEAN_STEPS = 16
LARGEST = 255


@dataclass(frozen=True, eq=False)
class Convolution:
    """3x3 or so, then ReLU and requantisation."""

    weights: NDArray[np.int8]  # (outputs, inputs, height, width)
    bias: NDArray[np.int32]  # (outputs,)
    multiplier: NDArray[np.float32]  # (outputs,)
    stride: int
    padding: int


@dataclass(frozen=True, eq=False)
class Dense:
    """The last layer, on channel means."""

    weights: NDArray[np.int8]  # (classes, inputs)
    bias: NDArray[np.int32]  # (classes,)
    scale: float


class QuantizedNetwork:
    """Convolutions, a global average, and a dense layer.

    Raises:
        InputError: if some sum could reach 2²⁴ and so stop being exact.
    """

    def __init__(self, convolutions: Sequence[Convolution], dense: Dense) -> None:
        self.convolutions = tuple(convolutions)
        self.dense = dense
        layers = [(layer.weights.reshape(len(layer.weights), -1), layer.bias, LARGEST) for layer in self.convolutions]
        layers.append((dense.weights, dense.bias, LARGEST * MEAN_STEPS))
        for number, (weights, bias, largest) in enumerate(layers):
            reach = np.abs(weights.astype(np.int64)).sum(axis=1) * largest + np.abs(bias.astype(np.int64))
            if reach.max() >= EXACT_BELOW:
                raise InputError(f"layer {number} of the int8 network may reach {reach.max()}, beyond exact float32")

    def forward(self, tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits (tiles, classes) of ``tiles`` (tiles, height, width, channels)."""
        pieces = [self._forward(tiles[start : start + 256]) for start in range(0, len(tiles), 256)]
        return np.concatenate(pieces) if pieces else np.empty((0, len(self.dense.weights)), np.float32)

    def _forward(self, tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        activations = tiles.astype(np.float32)
        for layer in self.convolutions:
            activations = _convolve(layer, activations)
        height, width = activations.shape[1:3]
        means = np.rint(activations.sum(axis=(1, 2)) * np.float32(MEAN_STEPS / (height * width)))
        sums = means @ self.dense.weights.T.astype(np.float32) + self.dense.bias.astype(np.float32)
        return np.asarray(sums * np.float32(self.dense.scale), np.float32)

    def multiply_accumulates(self, height: int, width: int) -> int:
        """Multiply-accumulates for one tile."""
        total = 0
        for layer in self.convolutions:
            kernel = layer.weights.shape[2]
            height = (height + 2 * layer.padding - kernel) // layer.stride + 1
            width = (width + 2 * layer.padding - kernel) // layer.stride + 1
            total += height * width * layer.weights.size
        return total + self.dense.weights.size

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        layers: list[Convolution | Dense] = [*self.convolutions, self.dense]
        return sum(layer.weights.size + layer.bias.size for layer in layers)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All that :meth:`from_arrays` needs, as named arrays."""
        arrays: dict[str, NDArray[Any]] = {}
        for number, layer in enumerate(self.convolutions):
            arrays[f"{number}.weights"], arrays[f"{number}.bias"] = layer.weights, layer.bias
            arrays[f"{number}.multiplier"] = layer.multiplier
            arrays[f"{number}.geometry"] = np.array([layer.stride, layer.padding], np.int32)
        arrays["dense.weights"], arrays["dense.bias"] = self.dense.weights, self.dense.bias
        arrays["dense.scale"] = np.array([self.dense.scale], np.float32)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, where: object = None) -> QuantizedNetwork:
        """The network that :meth:`to_arrays` described.

        Raises:
            InputError: if an array is missing.
        """
        try:
            convolutions: list[Convolution] = []
            while f"{len(convolutions)}.weights" in arrays:
                number = len(convolutions)
                stride, padding = (int(x) for x in arrays[f"{number}.geometry"])
                convolutions.append(
                    Convolution(
                        arrays[f"{number}.weights"],
                        arrays[f"{number}.bias"],
                        arrays[f"{number}.multiplier"],
                        stride,
                        padding,
                    )
                )
            dense = Dense(arrays["dense.weights"], arrays["dense.bias"], float(arrays["dense.scale"][0]))
        except KeyError as error:
            raise InputError(f"the int8 network lacks the array {error}", where=where) from None
        return cls(convolutions, dense)


def _convolve(layer: Convolution, activations: NDArray[np.float32]) -> NDArray[np.float32]:
    """(tiles, height, width, inputs) -> (tiles, height', width', outputs), whole numbers 0..255 held in float32."""
    outputs, inputs, height, width = layer.weights.shape
    pad = layer.padding
    padded = np.pad(activations, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    windows = windows[:, :: layer.stride, :: layer.stride]  # (tiles, height', width', inputs, kernel, kernel)
    columns = windows.reshape(-1, inputs * height * width)
    sums = columns @ layer.weights.reshape(outputs, -1).T.astype(np.float32) + layer.bias.astype(np.float32)
    quantised = np.clip(np.rint(sums * layer.multiplier), 0, LARGEST)
    return np.asarray(quantised.reshape(*windows.shape[:3], outputs), np.float32)
