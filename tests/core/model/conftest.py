"""A Chinese-CLIP small enough for tests, with random weights."""

import numpy as np
import pytest
import torch
from PIL import Image

from core.model.loading import LoadedModel, build_clip
from core.model.spec import ModelSpec
from core.model.weights import fingerprint

TINY = {
    "embed_dim": 32,
    "image_resolution": 32,
    "vision_layers": 2,
    "vision_width": 64,
    "vision_patch_size": 8,
    "vision_head_width": 32,
    "vocab_size": 21128,
    "text_attention_probs_dropout_prob": 0.1,
    "text_hidden_act": "gelu",
    "text_hidden_dropout_prob": 0.1,
    "text_hidden_size": 64,
    "text_initializer_range": 0.02,
    "text_intermediate_size": 128,
    "text_max_position_embeddings": 64,
    "text_num_attention_heads": 2,
    "text_num_hidden_layers": 2,
    "text_type_vocab_size": 2,
}


@pytest.fixture(scope="session")
def original():
    """cn_clip's own model, untouched; do not change it."""
    from cn_clip.clip.model import CLIP

    torch.manual_seed(3)
    clip = CLIP(**TINY).eval()
    with torch.no_grad():  # biases start at zero, which would hide a mistake in joining them
        for name, parameter in clip.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.1)
    return clip


@pytest.fixture
def state(original):
    return {key: value.clone() for key, value in original.state_dict().items()}


@pytest.fixture
def model(state):
    return LoadedModel(build_clip(TINY, state), ModelSpec("tiny", TINY), fingerprint(state))


@pytest.fixture(scope="session")
def pictures():
    rng = np.random.default_rng(5)
    return [Image.fromarray(rng.integers(0, 256, (50 + i, 70, 3), dtype=np.uint8)) for i in range(7)]


@pytest.fixture
def texts():
    return ["西湖", "德寿宫在望仙桥东", "“断桥”残雪", "ABC塔", "南宋临安古画中的宫殿建筑"]


@pytest.fixture(scope="session")
def random_state():
    """A function: random weights of a configuration under cn_clip's names, norms about one, drawn from a seed."""

    def draw(config, seed=0):
        from cn_clip.clip.model import CLIP

        with torch.device("meta"):
            blank = CLIP(**config)
        generator = torch.Generator().manual_seed(seed)
        state = {}
        for key, tensor in blank.state_dict().items():
            if not tensor.is_floating_point():
                state[key] = torch.zeros(tensor.shape, dtype=tensor.dtype)
                continue
            around_one = key.endswith(("running_var",)) or (
                key.endswith("weight") and any(part in key for part in ("ln_", "LayerNorm", ".bn", "downsample.1"))
            )
            state[key] = torch.empty(tensor.shape).normal_(float(around_one), 0.03, generator=generator)
        return state

    return draw
