"""A Chinese-CLIP small enough for tests and a small world that it can learn: colours and their names."""

import numpy as np
import pytest
import torch

from core.model.loading import LoadedModel, build_clip
from core.model.spec import ModelSpec
from core.model.weights import fingerprint
from core.training.data import TrainingData

TINY = {
    "embed_dim": 32,
    "image_resolution": 16,
    "vision_layers": 1,
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
    "text_num_hidden_layers": 1,
    "text_type_vocab_size": 2,
}
COLOURS = {"朱": (200, 30, 30), "青": (30, 160, 60), "蓝": (30, 60, 200), "白": (240, 240, 240)}
COLOURS |= {"黑": (10, 10, 10), "黄": (240, 220, 40)}


@pytest.fixture(scope="session")
def base_state():
    from cn_clip.clip.model import CLIP

    torch.manual_seed(3)
    return CLIP(**TINY).state_dict()


@pytest.fixture
def new_model(base_state):
    """A function that gives the same untuned model each time."""

    def build():
        state = {key: value.clone() for key, value in base_state.items()}
        return LoadedModel(build_clip(TINY, state), ModelSpec("tiny", TINY), fingerprint(state))

    return build


@pytest.fixture(scope="session")
def world():
    """24 pictures, one half of one colour, one of another; two wordings each."""
    rng = np.random.default_rng(0)
    pairs = [(a, b) for a in COLOURS for b in COLOURS if a != b][:24]
    pixels = np.zeros((len(pairs), 3, 16, 16), dtype=np.uint8)
    texts, images = [], []
    for i, (left, right) in enumerate(pairs):
        pixels[i, :, :, :8] = np.array(COLOURS[left])[:, None, None]
        pixels[i, :, :, 8:] = np.array(COLOURS[right])[:, None, None]
        texts += [f"{left}左{right}右", f"左有{left}色，右有{right}色"]
        images += [[i], [i]]
    noise = rng.integers(-9, 10, pixels.shape)
    return TrainingData(np.clip(pixels + noise, 0, 255).astype(np.uint8), texts, images)


@pytest.fixture
def in_double(monkeypatch):
    """A function that turns a model to float64; cn_clip's LayerNorm would fall back to float32."""
    from cn_clip.clip import model as cn_model
    from torch import nn

    monkeypatch.setattr(cn_model.LayerNorm, "forward", nn.LayerNorm.forward)

    def turn(model):
        model.clip.double()
        return model

    return turn
