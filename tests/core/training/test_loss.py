import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from core.training.loss import contrastive_loss


def naive(images, texts, positives, scale):
    """The definition, one row and one positive at a time."""

    def direction(logits, mask):
        rows = []
        for row, marks in zip(logits, mask, strict=True):
            total = sum(math.exp(x) for x in row)
            own = [-math.log(math.exp(x) / total) for x, mark in zip(row, marks, strict=True) if mark]
            if own:
                rows.append(sum(own) / len(own))
        return sum(rows) / len(rows)

    logits = scale * images.numpy() @ texts.numpy().T
    return (direction(logits, positives.numpy()) + direction(logits.T, positives.numpy().T)) / 2


def features(n, seed):
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(n, 6, dtype=torch.float64, generator=generator), dim=-1)


@pytest.mark.parametrize(("n", "m", "seed"), [(5, 5, 0), (6, 4, 1), (3, 7, 2)])
def test_several_positives_equal_the_naive_reference(n, m, seed):
    positives = torch.from_numpy(np.random.default_rng(seed).random((n, m)) < 0.4)
    positives[0] = False  # a row without positives does not count
    positives[1, 1] = True
    scale = torch.tensor(7.0, dtype=torch.float64)
    images, texts = features(n, seed), features(m, seed + 9)
    ours = contrastive_loss(images, texts, positives, scale)
    assert abs(float(ours) - naive(images, texts, positives, 7.0)) < 1e-12


def test_with_one_positive_a_row_it_is_clips_own_loss():
    images, texts, scale = features(6, 3), features(6, 4), torch.tensor(20.0, dtype=torch.float64)
    logits = scale * images @ texts.T
    truth = torch.arange(6)
    expected = (F.cross_entropy(logits, truth) + F.cross_entropy(logits.T, truth)) / 2
    assert torch.allclose(contrastive_loss(images, texts, torch.eye(6, dtype=torch.bool), scale), expected)


def test_identical_texts_are_not_pushed_apart():
    """Two pictures with one wording: at the optimum of the multi-positive loss the gradient is nothing."""
    same = torch.zeros(2, 3, dtype=torch.float64)
    same[:, 0] = 1
    images = same.clone().requires_grad_(True)
    scale = torch.tensor(10.0, dtype=torch.float64)
    contrastive_loss(images, same, torch.ones(2, 2, dtype=torch.bool), scale).backward()
    assert images.grad.abs().max() < 1e-12


def test_gradients_are_right():
    images, texts = features(4, 5).requires_grad_(True), features(3, 6).requires_grad_(True)
    positives = torch.tensor([[1, 0, 0], [1, 0, 1], [0, 1, 0], [0, 0, 0]], dtype=torch.bool)
    scale = torch.tensor(5.0, dtype=torch.float64, requires_grad=True)

    def loss(images, texts, scale):
        return contrastive_loss(images, texts, positives, scale)

    assert torch.autograd.gradcheck(loss, (images, texts, scale))
