import pytest
import torch

from core.errors import InputError, ModelError
from core.model.blend import blended, line
from core.model.loading import LoadedModel, build_clip, load_model
from core.model.spec import ModelSpec
from core.model.weights import fingerprint


@pytest.fixture
def pair(model, state):
    """A base model and the same, every weight moved."""
    generator = torch.Generator().manual_seed(1)
    moved = {
        k: v + 0.1 * torch.randn(v.shape, generator=generator) if v.is_floating_point() else v for k, v in state.items()
    }
    tuned = LoadedModel(build_clip(model.spec.config, moved), ModelSpec("tuned", model.spec.config), fingerprint(moved))
    return model, tuned


def weights(clip):
    return {k: v.clone() for k, v in clip.state_dict().items() if v.is_floating_point()}


def test_the_ends_are_exact_and_the_way_is_straight(pair):
    base, tuned = pair
    first, last = weights(base.clip), weights(tuned.clip)
    between = line(base, tuned)
    for strength in (0.3, 0.0, 1.0):
        between.put(tuned.clip, strength)
        now = weights(tuned.clip)
        for name, tensor in now.items():
            expected = {0.0: first[name], 1.0: last[name]}.get(strength)
            if expected is None:
                expected = (0.7 * first[name].double() + 0.3 * last[name].double()).float()
                assert (tensor - expected).abs().max() < 1e-6, name
            else:
                assert torch.equal(tensor, expected), name


def test_features_of_each_strength_have_a_key_of_their_own(pair):
    base, tuned = pair
    between = line(base, tuned)
    keys = [blended(tuned, between, strength).key for strength in (0, 0.5, 0.25, 0.5, 1)]
    assert keys[0] == base.key and keys[4] == tuned.key and keys[1] == keys[3]
    assert len(set(keys)) == 4


def test_two_shapes_have_no_line_between_them_and_strengths_an_end(pair, tmp_path):
    base, tuned = pair
    with pytest.raises(ModelError):
        line(load_model("mini", tmp_path), tuned)
    with pytest.raises(InputError):
        line(base, tuned).put(tuned.clip, 1.01)
