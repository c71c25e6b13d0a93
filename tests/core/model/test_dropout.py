import pytest
import torch
from torch import nn

from core.model.dropout import SampleDropout, sample_mask, seed_dropout


def seeds(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2**31, (n,), generator=generator, dtype=torch.int64).to(torch.int32)


@pytest.mark.parametrize("tower", ["vision", "text"])
def test_a_samples_mask_does_not_depend_on_the_batch_it_is_in(tower):
    dim = {"vision": 1, "text": 0}[tower]
    shape = [5, 5, 5, 30]
    shape[dim] = 6
    given = seeds(6)
    whole = sample_mask(shape, given, 0.3, dim)
    parts = [sample_mask([*shape[:dim], 2, *shape[dim + 1 :]], part, 0.3, dim) for part in given.split(2)]
    assert torch.equal(torch.cat(parts, dim), whole)


def test_padding_does_not_move_a_mask():
    """Texts are cut at the longest of their part: hidden states [n, length, width], attention [n, heads, q, k]."""
    long, short = sample_mask([3, 52, 70], seeds(3), 0.2, 0), sample_mask([3, 17, 70], seeds(3), 0.2, 0)
    assert torch.equal(long[:, :17], short)
    long, short = sample_mask([3, 4, 52, 52], seeds(3), 0.2, 0), sample_mask([3, 4, 17, 17], seeds(3), 0.2, 0)
    assert torch.equal(long[:, :, :17, :17], short)


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5])
def test_masks_look_random(p):
    """The rate is kept in every sample, neighbours and samples know nothing of each other (five deviations)."""
    n, length, width = 16, 197, 256
    kept = sample_mask([length, n, width], seeds(n, 3), p, 1).double()
    noise = (kept - (1 - p)) / (p * (1 - p)) ** 0.5
    limit = 5 / (length * width) ** 0.5
    assert noise.mean((0, 2)).abs().max() < limit
    for shifted in (noise[1:] * noise[:-1], noise[:, 1:] * noise[:, :-1], noise[..., 1:] * noise[..., :-1]):
        assert shifted.mean((0, 2)).abs().max() < limit


def test_modules_draw_different_masks_and_gradients_pass_where_values_did():
    holder = nn.Sequential(SampleDropout(0.5, "text"), SampleDropout(0.5, "text"), SampleDropout(0.5, "vision"))
    seed_dropout(holder, "text", seeds(4))
    x = torch.ones(4, 10, 40, dtype=torch.float64, requires_grad=True)
    first, second = holder[0](x), holder[1](x)
    assert not torch.equal(first, second) and torch.equal(first, holder[0](x))
    assert set(first.unique().tolist()) == {0.0, 2.0}
    first.sum().backward()
    assert torch.equal(x.grad, first.detach())
    assert holder[2].seeds is None
    torch.manual_seed(1)
    assert not torch.equal(holder[2](x), holder[2](x))
    holder.eval()
    assert torch.equal(holder[0](x), x)
