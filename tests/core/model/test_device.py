import pytest
import torch

from core.errors import ModelError
from core.model.device import autocast, autocast_dtype, best_device, checked_device
from core.model.lora import LoraConfig, adapters, apply_lora


def test_a_device_is_the_one_asked_for_or_the_best_there_is():
    assert checked_device("cpu") == "cpu"
    assert checked_device("auto") == best_device()


@pytest.mark.parametrize("name", ["warp", "cuda:99", "meta", "cpu:7", ""])
def test_a_device_that_cannot_compute_here_is_refused(name):
    with pytest.raises(ModelError) as error:
        checked_device(name)
    assert error.value.code == "device_missing"


def test_precision_by_device():
    assert autocast_dtype("cpu") is None and autocast_dtype("cpu", "fp16") is None
    assert autocast_dtype("cpu", "bf16") == torch.bfloat16
    assert autocast_dtype("cuda", "fp32") is None and autocast_dtype("cuda", "fp16") == torch.float16


def test_weights_and_gradients_stay_fp32_under_autocast(model, pictures, texts):
    pixels, tokens = torch.from_numpy(model.preprocess(pictures[0]))[None], model.tokenize(texts)
    plain = model.image_features(pixels, "fp32"), model.text_features(tokens, "fp32")
    apply_lora(model.clip, LoraConfig(rank=2))
    for _, adapter in adapters(model.clip):
        torch.nn.init.normal_(adapter.lora_B, std=1e-4)
    half = model.image_features(pixels, "bf16"), model.text_features(tokens, "bf16")
    for exact, rounded in zip(plain, half, strict=True):
        assert rounded.dtype == torch.float32
        assert 0 < (exact - rounded).abs().max() < 3e-2  # it did compute in bf16
    (half[0] @ half[1].T).sum().backward()
    trained = [p for p in model.clip.parameters() if p.requires_grad]
    assert {p.dtype for p in model.clip.parameters()} == {torch.float32}
    assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in trained)
    with autocast("cpu", "bf16"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
