import dataclasses
import json

import pytest
import safetensors
import torch
from torch import nn

from core.errors import ModelError
from core.model.adapters import adapter_info, load_adapter, save_adapter
from core.model.features import encode_images, encode_texts
from core.model.loading import LoadedModel, build_clip, load_model
from core.model.lora import LoraConfig, adapters, apply_lora, set_strength
from core.model.spec import RELEASED, ModelSpec, released_config
from core.model.weights import fingerprint, save_merged

CONFIG = LoraConfig(rank=2, alpha=4)


@pytest.fixture
def tuned(model):
    apply_lora(model.clip, CONFIG)
    torch.manual_seed(1)
    for _, adapter in adapters(model.clip):
        nn.init.normal_(adapter.lora_B, std=0.3)
    return model


@pytest.fixture
def fresh(state, model):
    return LoadedModel(build_clip(model.spec.config, state), model.spec, fingerprint(state))


def test_an_adapter_comes_back_as_it_was(tmp_path, tuned, fresh, texts, pictures):
    path = tmp_path / "run" / "adapter.safetensors"
    saved = save_adapter(path, tuned, CONFIG)
    loaded = load_adapter(path, fresh)
    assert (encode_texts(loaded, texts) == encode_texts(tuned, texts)).all()
    assert (encode_images(loaded, pictures) == encode_images(tuned, pictures)).all()
    assert loaded.adapter == saved.adapter and loaded.key == saved.key != fresh.fingerprint
    set_strength(loaded.clip, 0)
    assert loaded.key == fresh.fingerprint
    assert not any(p.requires_grad for p in loaded.clip.parameters())


def test_the_file_holds_what_is_promised(tmp_path, tuned):
    path = tmp_path / "adapter.safetensors"
    save_adapter(path, tuned, CONFIG)
    first = path.read_bytes()
    save_adapter(path, tuned, CONFIG)
    assert path.read_bytes() == first  # the same adapter is the same file
    with safetensors.safe_open(str(path), "pt") as file:
        assert list(file.metadata()) == ["songclip"]
        about = json.loads(file.metadata()["songclip"])
        keys = set(file.keys())
    assert about["model"] == "tiny" and about["base"] == tuned.fingerprint and about["lora"]["rank"] == 2
    assert "visual.transformer.resblocks.0.attn.q_proj.lora_A" in keys
    assert "bert.encoder.layer.1.attention.output.dense.lora_B" in keys
    assert adapter_info(path).config == CONFIG
    assert [p.name for p in tmp_path.iterdir()] == ["adapter.safetensors"]


def refused(path, model):
    with pytest.raises(ModelError) as error:
        load_adapter(path, model)
    return error.value.code


def test_a_wrong_base_is_refused_and_left_as_it_was(tmp_path, tuned, fresh, state, texts):
    path = tmp_path / "adapter.safetensors"
    save_adapter(path, tuned, CONFIG)
    state["logit_scale"] += 0.1
    other = dataclasses.replace(fresh, fingerprint=fingerprint(state))
    before = encode_texts(other, texts)
    assert refused(path, other) == "adapter_wrong_base"
    assert (encode_texts(other, texts) == before).all() and not list(adapters(other.clip))


def test_files_that_are_no_adapter(tmp_path, tuned, fresh):
    assert refused(tmp_path / "none.safetensors", fresh) == "adapter_missing"
    save_merged(tmp_path / "whole.safetensors", fresh.clip, fresh.spec)
    assert refused(tmp_path / "whole.safetensors", fresh) == "adapter_foreign"
    (tmp_path / "text.safetensors").write_text("德寿宫", encoding="utf-8")
    assert refused(tmp_path / "text.safetensors", fresh) == "weights_damaged"
    save_adapter(tmp_path / "misfit.safetensors", tuned, LoraConfig(rank=3))
    assert refused(tmp_path / "misfit.safetensors", fresh) == "adapter_misfit"
    with pytest.raises(ModelError):
        save_adapter(tmp_path / "nothing.safetensors", fresh, CONFIG)


def test_merged_file_of_our_own_shape(tmp_path, tuned, texts):
    with pytest.raises(ModelError) as error:
        save_merged(tmp_path / "merged.pt", tuned.clip, tuned.spec)
    assert error.value.code == "merge_own_shape"
    save_merged(tmp_path / "merged.safetensors", tuned.clip, tuned.spec)
    loaded = load_model(str(tmp_path / "merged.safetensors"), tmp_path)
    assert abs(encode_texts(loaded, texts) - encode_texts(tuned, texts)).max() < 1e-5


def test_a_released_model_goes_all_the_way_round(tmp_path, pictures, texts):
    """A random ViT-B-16 in the original format: loaded, adapted, merged, read by cn_clip, same features."""
    from cn_clip.clip import load_from_name
    from cn_clip.clip.model import CLIP

    config = released_config("ViT-B-16")
    with torch.device("meta"):
        blank = CLIP(**config)
    generator = torch.Generator().manual_seed(0)
    state = {}
    for key, tensor in blank.state_dict().items():
        norm = key.endswith("weight") and ("ln_" in key or "LayerNorm" in key)
        state[key] = torch.empty(tensor.shape).normal_(float(norm), 0.03, generator=generator)
    file = tmp_path / RELEASED["ViT-B-16"].file
    torch.save({"state_dict": {f"module.{k}": v.half() for k, v in state.items()}}, file)
    model = load_model("ViT-B-16", tmp_path)
    file.unlink()
    base = encode_texts(model, texts[:2])
    names = apply_lora(model.clip, LoraConfig(rank=4))
    assert len(names) == 24 * 4
    for _, adapter in adapters(model.clip):
        nn.init.normal_(adapter.lora_B, std=0.05, generator=generator)
    images, words = encode_images(model, pictures[:2]), encode_texts(model, texts[:2])
    save_merged(tmp_path / "merged.pt", model.clip, model.spec)
    del model, state, blank
    theirs, transform = load_from_name(
        str(tmp_path / "merged.pt"),
        device="cpu",
        vision_model_name="ViT-B-16",
        text_model_name="RoBERTa-wwm-ext-base-chinese",
        input_resolution=224,
    )
    reader = LoadedModel(theirs.eval(), ModelSpec("ViT-B-16", config), "")
    with torch.no_grad():
        direct = theirs.encode_image(torch.stack([transform(p) for p in pictures[:2]]))
    direct = nn.functional.normalize(direct, dim=-1).numpy()
    # cn_clip rounds weights to fp16 when it loads them; the tuning moved the features much further than that
    assert abs(direct - images).max() < 2e-3
    assert abs(encode_texts(reader, texts[:2]) - words).max() < 2e-3
    assert abs(base - words).max() > 5e-2
