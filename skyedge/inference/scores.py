"""How sure is a model?  Scores of logits, all over arrays of shape (scenes, classes), and their calibration.

Every score is rounded to 1e-4 before anyone decides on it: the last bits of a logit depend on the batch it was
computed in, and a decision must not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]
Scores = NDArray[np.float64]

DECIMALS = 4


def rounded(score: NDArray[np.floating]) -> Scores:
    """``score`` to 1e-4."""
    return np.asarray(np.round(np.asarray(score, np.float64), DECIMALS), np.float64)


def softmax(logits: Logits, temperature: float = 1.0) -> NDArray[np.float64]:
    """Class probabilities (scenes, classes), stable for any finite logits."""
    scaled = np.asarray(logits, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def confidence(logits: Logits, temperature: float = 1.0) -> Scores:
    """Probability of the likeliest class, (scenes,)."""
    return rounded(softmax(logits, temperature).max(axis=1))


def margin(logits: Logits, temperature: float = 1.0) -> Scores:
    """Probability of the likeliest class less that of the next, (scenes,); 1 where there is one class only."""
    probabilities = np.sort(softmax(logits, temperature), axis=1)
    if probabilities.shape[1] < 2:
        return np.ones(len(probabilities))
    return rounded(probabilities[:, -1] - probabilities[:, -2])


def normalised_certainty(probabilities: NDArray[np.floating]) -> Scores:
    """1 − H(p) / ln n: 1 for a certain answer, 0 for a uniform one, (scenes,).

    This is the score of Sedna's CrossEntropy miner; p ln p is taken as 0 at p = 0, and one class is certain.
    """
    p = np.asarray(probabilities, np.float64)
    if p.shape[1] < 2:
        return np.ones(len(p))
    terms = np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0)
    return rounded(1.0 + terms.sum(axis=1) / np.log(p.shape[1]))


def energy(logits: Logits, temperature: float = 1.0) -> Scores:
    """−T log Σ exp(logit / T), (scenes,): low for what the model knows (Liu et al. 2020, eq. 4)."""
    scaled = np.asarray(logits, np.float64) / temperature
    peak = scaled.max(axis=1)
    return rounded(-temperature * (peak + np.log(np.exp(scaled - peak[:, None]).sum(axis=1))))


def negative_log_likelihood(logits: Logits, labels: NDArray[np.integer], temperature: float) -> float:
    """Mean −log p(label)."""
    probabilities = softmax(logits, temperature)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(probabilities, 1e-12)).mean())


def fit_temperature(logits: Logits, labels: NDArray[np.integer]) -> float:
    """The temperature in [0.1, 10] of least negative log-likelihood (Guo et al. 2017), by golden section in log T."""
    ratio = (np.sqrt(5) - 1) / 2
    low, high = np.log(0.1), np.log(10.0)
    for _ in range(40):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if negative_log_likelihood(logits, labels, float(np.exp(left))) < negative_log_likelihood(
            logits, labels, float(np.exp(right))
        ):
            high = right
        else:
            low = left
    return round(float(np.exp((low + high) / 2)), DECIMALS)


@dataclass(frozen=True, eq=False)
class ClassDistance:
    """Squared Mahalanobis distance to the nearest class mean under one shared covariance (Lee et al. 2018, eq. 2)."""

    means: NDArray[np.float64]  # (classes, features)
    precision: NDArray[np.float64]  # (features, features)

    @classmethod
    def fit(cls, features: NDArray[np.floating], labels: NDArray[np.integer]) -> ClassDistance:
        """Fit on calibration ``features`` (scenes, features), with a small ridge so that the covariance inverts."""
        x = np.asarray(features, np.float64)
        present = np.unique(labels)
        means = np.stack([x[labels == label].mean(axis=0) for label in present])
        centred = x - means[np.searchsorted(present, labels)]
        covariance = centred.T @ centred / len(x)
        ridge = 1e-3 * np.trace(covariance) / len(covariance) + 1e-9
        return cls(means, np.linalg.inv(covariance + ridge * np.eye(len(covariance))))

    def distance(self, features: NDArray[np.floating]) -> Scores:
        """Distance of each row of ``features`` (scenes, features), (scenes,)."""
        difference = np.asarray(features, np.float64)[:, None, :] - self.means[None]
        squared = np.einsum("ncf,fg,ncg->nc", difference, self.precision, difference)
        return rounded(squared.min(axis=1))
