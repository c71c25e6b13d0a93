import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from core.demo.pretrain import (
    PretrainConfig,
    build_mini,
    encode_images,
    encode_texts,
    pretrain,
    save_mini,
    tokenize,
)
from core.demo.scenes import make_scenes
from core.demo.worlds import benchmark_world, paint_pixels
from core.model.spec import MINI_FOLDER, MINI_WEIGHTS, mini_config

TINY = PretrainConfig(scenes=12, validation=6, epochs=2, batch_size=6, threads=1)
WEIGHTS = MINI_FOLDER / MINI_WEIGHTS


def test_the_loop_learns_and_writes_the_same_file_again(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    try:
        start = build_mini().state_dict()
        model, figures = pretrain(TINY)
        save_mini(model, tmp_path / "one.safetensors", TINY, figures)
        model, figures = pretrain(TINY)
        save_mini(model, tmp_path / "two.safetensors", TINY, figures)
    finally:
        torch.set_num_threads(threads)
    assert set(figures) == {"R@1", "R@5", "R@10"}
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()
    saved = load_file(tmp_path / "one.safetensors")
    assert set(saved) == set(start)
    assert not torch.equal(saved["visual.conv1.weight"].float(), start["visual.conv1.weight"])


def test_the_shipped_weights_are_small_and_say_how_they_were_made() -> None:
    assert WEIGHTS.stat().st_size <= 10_000_000
    with safe_open(WEIGHTS, "pt") as file:
        metadata = file.metadata()
        kinds = {file.get_tensor(key).dtype for key in file.keys()}  # noqa: SIM118 - not a mapping
    assert kinds == {torch.float16}
    assert set(metadata) == {"songclip"}
    about = json.loads(metadata["songclip"])
    assert about["config"] == mini_config()
    assert PretrainConfig(**about["pretraining"]) == PretrainConfig()


def test_the_shipped_weights_load_into_cn_clip_and_know_their_world() -> None:
    model = build_mini()
    model.load_state_dict({key: value.float() for key, value in load_file(WEIGHTS).items()})
    model.eval()
    world = benchmark_world(40, 3)
    images = encode_images(model, paint_pixels([item.scene for item in world]))
    modern = encode_texts(model, [item.modern for item in world])
    dim = mini_config()["embed_dim"]
    assert images.shape == modern.shape == (40, dim)
    assert images.dtype == torch.float32
    for features in (images, modern):
        assert torch.allclose(features.norm(dim=1), torch.ones(40), atol=1e-5)
    found = ((modern @ images.T).argmax(1) == torch.arange(40)).float().mean()
    assert found > 0.6  # chance: 0.025


def test_tokens_are_cn_clips_lower_cased_and_cut_at_52() -> None:
    pytest.importorskip("cn_clip")
    tokens = tokenize(["两座石桥", "AB" * 60])
    assert tokens.shape == (2, 52)
    assert torch.equal(tokenize(["ABC"]), tokenize(["abc"]))


def test_pixels_of_many_processes_are_those_of_one() -> None:
    scenes = make_scenes(3, 8)
    assert np.array_equal(paint_pixels(scenes, workers=2), paint_pixels(scenes))
