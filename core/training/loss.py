"""Symmetric InfoNCE with several positives a row (CLIP, arXiv 2103.00020; UniCL, arXiv 2204.03610)."""

from torch import Tensor
from torch.nn import functional as F


def contrastive_loss(images: Tensor, texts: Tensor, positives: Tensor, scale: Tensor) -> Tensor:
    """The mean of both directions' cross-entropies; with one positive a row it is CLIP's own loss.

    ``images`` [n, dim] and ``texts`` [m, dim] of length 1, ``positives`` bool [n, m], ``scale`` the factor on
    the cosines. The target of a row is spread evenly over its positives; a row without any is left out.
    """
    logits = scale * images @ texts.T
    return (_direction(logits, positives) + _direction(logits.T, positives.T)) / 2


def _direction(logits: Tensor, positives: Tensor) -> Tensor:
    target = positives.to(logits.dtype)
    count = target.sum(1)
    log_likelihood = (F.log_softmax(logits, dim=1) * target).sum(1) / count.clamp(min=1)
    return -log_likelihood.sum() / count.gt(0).sum().clamp(min=1)
