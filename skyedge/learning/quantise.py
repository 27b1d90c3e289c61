"""From a trained TinyNet to whole numbers: the format of :mod:`skyedge.inference.int8`.

Weights get one scale an output channel, activations one scale a layer, set by the 99.95th percentile of what the
calibration pictures produce.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from skyedge.inference.int8 import LARGEST, MEAN_STEPS, Convolution, Dense, QuantizedNetwork
from skyedge.learning.networks import TinyNet

_PERCENTILE = 99.95


def quantise(network: TinyNet, calibration: NDArray[np.uint8]) -> QuantizedNetwork:
    """The int8 form of ``network``; ``calibration`` are pictures (tiles, height, width, 3) from calibrate blocks."""
    network.eval()
    activations = torch.from_numpy(calibration).permute(0, 3, 1, 2).float() / LARGEST
    scale_in = 1.0 / LARGEST
    layers = []
    with torch.inference_mode():
        for module in network.convolutions:
            assert isinstance(module, torch.nn.Conv2d)
            activations = torch.relu(module(activations))
            scale_out = max(float(np.percentile(activations.numpy(), _PERCENTILE)), 1e-6) / LARGEST
            weights = module.weight.numpy()
            scale = np.maximum(np.abs(weights).reshape(len(weights), -1).max(axis=1), 1e-9) / 127
            assert module.bias is not None
            layers.append(
                Convolution(
                    np.rint(weights / scale[:, None, None, None]).astype(np.int8),
                    np.rint(module.bias.numpy() / (scale * scale_in)).astype(np.int32),
                    (scale * scale_in / scale_out).astype(np.float32),
                    int(module.stride[0]),
                    int(module.padding[0]),
                )
            )
            scale_in = scale_out
    weights = network.dense.weight.detach().numpy()
    dense_scale = float(np.abs(weights).max()) / 127
    total_scale = dense_scale * scale_in / MEAN_STEPS
    bias = np.rint(network.dense.bias.detach().numpy() / total_scale).astype(np.int32)
    return QuantizedNetwork(layers, Dense(np.rint(weights / dense_scale).astype(np.int8), bias, total_scale))
