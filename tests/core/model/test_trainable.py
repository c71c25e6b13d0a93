import pytest
import torch
from torch import nn

from core.errors import InputError
from core.model.loading import blank_clip
from core.model.lora import LoraConfig, adapters, apply_lora
from core.model.spec import RELEASED, ModelSpec, mini_config, released_config
from core.model.trainable import notices, parameters, parameters_of, train_everything


def spec(name):
    return ModelSpec(name, released_config(name))


def test_the_share_is_the_one_measured_and_known_before_loading(model):
    lora = LoraConfig(rank=2, targets=("q", "mlp"), layers=(0,))
    planned = parameters_of(model.spec, lora)
    base = sum(p.numel() for p in model.clip.parameters())
    apply_lora(model.clip, lora)
    assert parameters(model.clip) == planned
    assert (
        planned.total - base == planned.trainable == sum(p.numel() for p in model.clip.parameters() if p.requires_grad)
    )
    assert planned.percent == pytest.approx(100 * planned.trainable / planned.total)
    assert parameters_of(model.spec, None) == (base, base)


@pytest.mark.parametrize(("rank", "targets", "percent"), [(4, "qkvo", 0.31), (4, "all", 0.70), (16, "qkvo", 1.24)])
def test_figures_of_the_base_release(rank, targets, percent):
    chosen = ("q", "k", "v", "o", "mlp") if targets == "all" else tuple(targets)
    assert round(parameters_of(spec("ViT-B-16"), LoraConfig(rank=rank, targets=chosen)).percent, 2) == percent


def test_what_cannot_be_trained_is_refused_before_loading():
    with pytest.raises(InputError) as error:
        parameters_of(spec("RN50"), LoraConfig(towers=("vision",)))
    assert error.value.code == "lora_nothing"


def test_rn50_is_told_aloud_and_the_others_need_no_notice():
    both, text = LoraConfig(), LoraConfig(towers=("text",))
    for name in RELEASED:
        said = [[notice.code for notice in notices(spec(name), lora)] for lora in (both, text, None)]
        assert said == ([["lora_text_only"], [], ["full_norms_kept"]] if name == "RN50" else [[], [], []])
    assert notices(spec("RN50"), both)[0].details == {"model": "RN50"}
    assert notices(ModelSpec("mini", mini_config()), both) == ()


def test_full_fine_tuning_trains_every_weight_of_a_transformer(model, pictures, texts):
    apply_lora(model.clip, LoraConfig())
    train_everything(model.clip)
    assert not list(adapters(model.clip))
    pixels, tokens = torch.from_numpy(model.preprocess(pictures[0]))[None], model.tokenize(texts)
    logits = model.logit_scale.exp() * model.image_features(pixels) @ model.text_features(tokens).T
    logits.square().sum().backward()
    without = {name for name, p in model.clip.named_parameters() if p.grad is None or not p.grad.any()}
    assert without == set(), without


def test_full_fine_tuning_leaves_batch_norms_alone():
    clip = blank_clip(released_config("RN50"))
    train_everything(clip)
    frozen = {name for name, p in clip.named_parameters() if not p.requires_grad}
    norms = {name for name, m in clip.named_modules() if isinstance(m, nn.BatchNorm2d)}
    assert norms and frozen == {f"{name}.{part}" for name in norms for part in ("weight", "bias")}
