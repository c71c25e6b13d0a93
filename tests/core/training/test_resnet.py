"""A vision tower with batch norms, as RN50 has them: it learns, and the norms stay as they were."""

import numpy as np
import pytest
import torch
from torch import nn

from core.model.loading import LoadedModel, build_clip
from core.model.lora import count_parameters
from core.model.spec import ModelSpec
from core.model.trainable import parameters_of
from core.model.weights import fingerprint
from core.training.config import TrainConfig
from core.training.data import TrainingData
from core.training.loop import train
from core.training.plan import make_plan
from core.training.step import prepare

FULL = TrainConfig(method="full", epochs=2, batch_size=8, learning_rate=1e-3, seed=4)


@pytest.fixture
def resnet(new_model):
    """RN50's kind of model, small, with batch norms whose factors and statistics are their own."""
    from cn_clip.clip.model import CLIP

    config = {**new_model().spec.config, "image_resolution": 32, "vision_layers": [1, 1, 1, 1], "vision_width": 8}
    torch.manual_seed(2)
    clip = CLIP(**config)
    for module in clip.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.1)
            nn.init.normal_(module.bias, 0.0, 0.1)
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(0.8, 1.2)
    state = clip.state_dict()
    return LoadedModel(build_clip(config, state), ModelSpec("small-resnet", config), fingerprint(state))


@pytest.fixture
def larger_world(world):
    """The world in pictures of 32 × 32: a ResNet halves them five times."""
    return TrainingData(np.repeat(np.repeat(world.pixels, 2, 2), 2, 3), world.texts, world.text_images)


def norms_of(model):
    """The names of all that belongs to a batch norm, factors and statistics."""
    found = {name: module for name, module in model.clip.named_modules() if isinstance(module, nn.BatchNorm2d)}
    return {f"{name}.{part}" for name, module in found.items() for part in module.state_dict()}


def test_what_is_trained_is_what_the_plan_says(resnet, larger_world):
    planned = parameters_of(resnet.spec, None)
    prepare(resnet, FULL)
    frozen = {name for name, p in resnet.clip.named_parameters() if not p.requires_grad}
    assert frozen == {name for name in norms_of(resnet) if name.endswith(("weight", "bias"))} != set()
    assert count_parameters(resnet.clip) == planned and planned.trainable < planned.total
    measured = make_plan(resnet, larger_world, FULL)
    assert (measured.trainable, measured.total) == planned


@pytest.mark.parametrize("micro_batch", [8, 3])
def test_batch_norms_are_bit_for_bit_the_bases_after_training(tmp_path, resnet, larger_world, micro_batch):
    before = {name: tensor.clone() for name, tensor in resnet.clip.state_dict().items()}
    result = train(resnet, larger_world, FULL, tmp_path, micro_batch=micro_batch)
    after = resnet.clip.state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert result.steps == 6 and same >= norms_of(resnet)
    assert same - norms_of(resnet) == {"bert.embeddings.position_ids"} & set(before)
    assert (result.trainable, result.total) == parameters_of(resnet.spec, None)
