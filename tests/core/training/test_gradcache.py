"""GradCache against one backward pass through the whole batch, in float64."""

import numpy as np
import pytest
import torch
from torch import nn

from core.model.dropout import seed_dropout
from core.model.loading import LoadedModel, build_clip
from core.model.lora import LoraConfig, adapters
from core.model.spec import ModelSpec, released_config
from core.training.batches import Batch, epoch_batches
from core.training.config import TrainConfig
from core.training.gradcache import batch_gradients
from core.training.loss import contrastive_loss
from core.training.step import StepInput, prepare, step_input, train_mode

LORA = LoraConfig(rank=3, alpha=6, dropout=0.3, targets=("q", "k", "v", "o", "mlp"))
OFF = torch.amp.GradScaler("cpu", enabled=False)


def prepared(model, config):
    prepare(model, config)
    torch.manual_seed(5)
    for _, adapter in adapters(model.clip):
        nn.init.normal_(adapter.lora_B, std=0.3)
    train_mode(model.clip.modules(), model.clip)
    return model


def gradients(model):
    found = {name: p.grad.clone() for name, p in model.clip.named_parameters() if p.grad is not None}
    model.clip.zero_grad()
    return found


def whole(model, batch):
    """The definition: every sample encoded once, one loss, one backward pass."""
    seed_dropout(model.clip, "vision", batch.image_seeds)
    images = model.image_features(batch.pixels)
    seed_dropout(model.clip, "text", batch.text_seeds)
    texts = model.text_features(batch.tokens)
    loss = contrastive_loss(images, texts, batch.positives, model.logit_scale.exp())
    loss.backward()
    return float(loss.detach()), gradients(model)


def furthest(one, other):
    """The largest difference, relative to each tensor; a key's bias has no gradient but rounding."""
    assert one.keys() == other.keys() and one
    floor = 1e-5 * max(float(g.abs().max()) for g in other.values())
    return max(float((one[k] - other[k]).abs().max()) / max(float(other[k].abs().max()), floor) for k in one)


def whole_world(model, data, texts_per_image, augmented=True):
    (batch,) = epoch_batches(data, 1000, 0, 1, texts_per_image)
    tokens = model.tokenize(data.texts)
    return step_input(data, tokens, batch, "cpu", np.random.default_rng(7), augmented=augmented)


@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("texts_per_image", ["one", "all"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_any_micro_batch_gives_the_whole_batchs_gradients(
    new_model, in_double, world, method, texts_per_image, checkpointing
):
    """With dropout in the adapters and in the text tower, and augmentation."""
    config = TrainConfig(method=method, lora=LORA, checkpointing=checkpointing)
    model = prepared(in_double(new_model()), config)
    batch = whole_world(model, world, texts_per_image)
    loss, expected = whole(model, batch)
    assert ("logit_scale" in expected) == (method == "full")
    for micro in (1, 5, 8, 23, 24):
        assert batch_gradients(model, batch, micro, OFF) == pytest.approx(loss, abs=1e-12)
        assert furthest(gradients(model), expected) < 1e-9


def test_the_loss_of_parts_is_another(new_model, in_double, world):
    """What plain accumulation would give: so the tests above can tell."""
    model = prepared(in_double(new_model()), TrainConfig(lora=LORA))
    batch = whole_world(model, world, "one")
    _, expected = whole(model, batch)
    for start in range(0, 24, 8):
        cut = slice(start, start + 8)
        part = StepInput(
            batch.pixels[cut], batch.tokens, batch.positives[cut], batch.image_seeds[cut], batch.text_seeds
        )
        batch_gradients(model, part, 8, OFF)
    assert furthest(gradients(model), expected) > 0.1


def test_no_more_than_a_micro_batch_is_held_with_its_graph(new_model, world):
    model = prepared(new_model(), TrainConfig(lora=LORA))
    batch = whole_world(model, world, "all")
    sizes = {"vision": [], "text": []}
    model.clip.visual.register_forward_hook(lambda _, inputs, out: sizes["vision"].append((len(inputs[0]), out)))
    model.clip.bert.register_forward_hook(lambda _, inputs, out: sizes["text"].append((len(inputs[0]), out[0])))
    batch_gradients(model, batch, 5, OFF)
    for tower, most, once in (("vision", 5, 24), ("text", 20, 48)):
        with_graph = [n for n, out in sizes[tower] if out.requires_grad]
        assert max(n for n, _ in sizes[tower]) == most and sum(with_graph) == once
        assert sum(n for n, _ in sizes[tower]) == 2 * once
    for seen in sizes.values():
        seen.clear()
    batch_gradients(model, batch, 24, OFF)
    assert [n for n, _ in sizes["vision"]] == [24] and [n for n, _ in sizes["text"]] == [48]


def test_a_tower_without_adapters_is_left_alone(new_model, in_double, world):
    config = TrainConfig(lora=LoraConfig(rank=3, dropout=0.3, towers=("text",)))
    model = prepared(in_double(new_model()), config)
    batch = whole_world(model, world, "all")
    _, expected = whole(model, batch)
    batch_gradients(model, batch, 4, OFF)
    assert furthest(gradients(model), expected) < 1e-9


class Plain:
    """A model of other people's: torch's own dropout in both towers."""

    device = "cpu"

    def __init__(self):
        torch.manual_seed(0)
        self.clip = nn.ModuleDict(
            {name: nn.Sequential(nn.Linear(12, 9), nn.Dropout(0.4), nn.Linear(9, 6)) for name in ("image", "text")}
        ).double()
        self.logit_scale = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))

    def image_features(self, pixels, precision="auto"):
        return nn.functional.normalize(self.clip["image"](pixels.flatten(1).double() / 255), dim=-1)

    def text_features(self, tokens, precision="auto"):
        return nn.functional.normalize(self.clip["text"](tokens.double() / 9), dim=-1)


@pytest.mark.parametrize("micro", [2, 5])
def test_random_numbers_of_the_first_pass_come_back_in_the_second(micro):
    """Both towers in parts, and pictures in parts with texts in one."""
    model = Plain()
    rng = np.random.default_rng(0)
    seeds = torch.zeros(10, dtype=torch.int32)
    batch = StepInput(
        torch.from_numpy(rng.integers(0, 255, (10, 3, 2, 2), dtype=np.uint8)),
        torch.from_numpy(rng.integers(0, 9, (10, 12))),
        torch.eye(10, dtype=torch.bool),
        seeds,
        seeds,
    )
    torch.manual_seed(3)
    images = torch.cat([model.image_features(part) for part in batch.pixels.split(micro)])
    texts = torch.cat([model.text_features(part) for part in batch.tokens.split(4 * micro)])
    loss = contrastive_loss(images, texts, batch.positives, model.logit_scale.exp())
    loss.backward()
    expected, scale = gradients(model), model.logit_scale.grad.clone()
    model.logit_scale.grad = None
    after = torch.rand(3)
    torch.manual_seed(3)
    assert batch_gradients(model, batch, micro, OFF) == pytest.approx(float(loss.detach()), abs=1e-14)
    assert furthest(gradients(model), expected) < 1e-12 and torch.allclose(model.logit_scale.grad, scale)
    assert torch.equal(torch.rand(3), after)


def test_a_gradient_scaler_scales_all_of_it(new_model, in_double, world):
    model = prepared(in_double(new_model()), TrainConfig(method="full"))
    batch = whole_world(model, world, "one")
    _, expected = whole(model, batch)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    batch_gradients(model, batch, 5, scaler)
    assert furthest({k: g / 1024 for k, g in gradients(model).items()}, expected) < 1e-9


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_model_of_vit_b_16s_shape(in_double, method):
    """Widths, heads and patches of ViT-B-16 in both towers, two layers of each, random weights."""
    from cn_clip.clip.model import CLIP

    config = {**released_config("ViT-B-16"), "vision_layers": 2, "text_num_hidden_layers": 2}
    torch.manual_seed(0)
    clip = build_clip(config, CLIP(**config).state_dict())
    model = in_double(LoadedModel(clip, ModelSpec("wide", config), "0"))
    model = prepared(model, TrainConfig(method=method, lora=LORA))
    rng = np.random.default_rng(1)
    texts = ["德寿宫在望仙桥东", "西湖", "断桥残雪，画舫三五", "孤山", "𠮷祥寺"]
    positives = torch.zeros(3, 5, dtype=torch.bool)
    positives[[0, 0, 1, 2, 2], [0, 1, 2, 3, 4]] = True
    seeds = torch.from_numpy(rng.integers(0, 2**31, 5, dtype=np.int32))
    pixels = torch.from_numpy(rng.integers(0, 256, (3, 3, 224, 224), dtype=np.uint8))
    batch = StepInput(pixels, model.tokenize(texts), positives, seeds[:3], seeds)
    loss, expected = whole(model, batch)
    assert batch_gradients(model, batch, 1, OFF) == pytest.approx(loss, abs=1e-12)
    assert furthest(gradients(model), expected) < 1e-8


def test_a_text_without_its_picture_in_the_batch_counts_against_the_others(new_model, in_double, world):
    """As a rejected text does."""
    model = prepared(in_double(new_model()), TrainConfig(lora=LORA))
    model.clip.eval()
    images, texts = np.array([0, 1]), np.array([0, 2])
    tokens = model.tokenize(world.texts)

    def loss(chosen):
        batch = step_input(
            world, tokens, Batch(images, np.array(chosen)), "cpu", np.random.default_rng(0), augmented=False
        )
        return batch_gradients(model, batch, 2, OFF)

    assert loss([*texts, 9]) > loss(texts)
