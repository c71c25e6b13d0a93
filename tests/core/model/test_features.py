import numpy as np
import pytest
import torch

from core.errors import Stopped
from core.model.features import encode_images, encode_texts
from core.model.lora import LoraConfig, adapters, apply_lora
from core.model.preprocess import stack_pixels


def test_features_equal_cn_clip_and_keep_the_order(model, original, pictures, texts):
    from cn_clip.clip import image_transform, tokenize
    from cn_clip.training.data import _preprocess_text

    with torch.no_grad():
        images = original.encode_image(torch.stack([image_transform(32)(p) for p in pictures]))
        words = original.encode_text(tokenize([_preprocess_text(t) for t in texts]))
    images, words = (torch.nn.functional.normalize(x, dim=-1).numpy() for x in (images, words))
    np.testing.assert_allclose(encode_images(model, pictures, batch=3), images, atol=1e-5)
    np.testing.assert_allclose(encode_texts(model, texts, batch=2), words, atol=1e-5)


def test_pixels_generators_and_lists_agree(model, pictures):
    from_list = encode_images(model, pictures)
    assert from_list.dtype == np.float32 and from_list.shape == (7, 32)
    np.testing.assert_allclose(np.linalg.norm(from_list, axis=1), 1, atol=1e-6)
    pixels = stack_pixels(pictures, 32)
    pixels.setflags(write=False)
    assert np.array_equal(encode_images(model, pixels), from_list)
    assert np.array_equal(encode_images(model, (p for p in pictures)), from_list)


def test_nothing_gives_nothing(model):
    assert encode_images(model, []).shape == (0, 32) == encode_texts(model, []).shape


def test_dropout_is_off_and_the_mode_comes_back(model, texts):
    model.clip.train()
    assert np.array_equal(encode_texts(model, texts), encode_texts(model, texts))
    assert model.clip.training


class Watcher:
    def __init__(self):
        self.seen = []

    def report(self, done, total, message="", **details):
        self.seen.append((done, total, message))

    def should_stop(self):
        return len(self.seen) == 2


def test_progress_is_told_and_may_stop(model, pictures):
    watcher = Watcher()
    with pytest.raises(Stopped):
        encode_images(model, pictures, batch=3, progress=watcher)
    assert watcher.seen == [(3, 7, "progress.encode_images"), (6, 7, "progress.encode_images")]


def test_half_precision_is_close_and_lets_gradients_through(model, pictures, texts):
    """cn_clip under autocast, as on a card: weights stay fp32."""
    apply_lora(model.clip, LoraConfig())
    pixels, tokens = torch.from_numpy(stack_pixels(pictures, 32)), model.tokenize(texts)
    full = model.image_features(pixels), model.text_features(tokens)
    half = model.image_features(pixels, "bf16"), model.text_features(tokens, "bf16")
    for one, other in zip(full, half, strict=True):
        assert other.dtype == torch.float32 and 0 < (one - other).abs().max() < 0.05
    (half[0] @ half[1].T).sum().backward()
    assert all(a.lora_B.grad.dtype == torch.float32 and a.lora_B.grad.any() for _, a in adapters(model.clip))
