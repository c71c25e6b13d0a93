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
from core.model.weights import fingerprint, read_safetensors, save_merged, write_safetensors

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


def test_loaded_and_saved_again_it_is_the_same_file(tmp_path, tuned, fresh):
    save_adapter(tmp_path / "one.safetensors", tuned, CONFIG)
    save_adapter(tmp_path / "two.safetensors", load_adapter(tmp_path / "one.safetensors", fresh), CONFIG)
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()


def test_a_new_adapter_takes_the_place_of_the_old_one(tmp_path, tuned, fresh, texts):
    save_adapter(tmp_path / "one.safetensors", tuned, CONFIG)
    apply_lora(fresh.clip, LoraConfig(rank=5, targets=("mlp",)))
    for _, adapter in adapters(fresh.clip):
        nn.init.normal_(adapter.lora_B, std=0.3)
    loaded = load_adapter(tmp_path / "one.safetensors", fresh, strength=0.5)
    set_strength(tuned.clip, 0.5)
    assert (encode_texts(loaded, texts) == encode_texts(tuned, texts)).all()


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


@pytest.mark.parametrize("damage", ["rank", "shape", "missing", "nan", "layers", "type", "list", "whole numbers"])
def test_an_adapter_that_does_not_fit_its_own_description(tmp_path, tuned, fresh, texts, damage):
    path = tmp_path / "adapter.safetensors"
    save_adapter(path, tuned, CONFIG)
    state, about = read_safetensors(path)
    first = min(state)
    if damage == "rank":
        about["lora"]["rank"] = 10**9  # must be refused before it is built
    elif damage == "shape":
        state[first] = state[first][:, :5]
    elif damage == "missing":
        del state[first]
    elif damage == "nan":
        state[first][0, 0] = float("nan")
    elif damage == "layers":
        about["lora"]["layers"] = [99]
    elif damage == "whole numbers":
        state = {name: tensor.int() for name, tensor in state.items()}
    elif damage == "type":
        about["lora"]["rank"] = "2"
    else:
        about["lora"] = [1]
    write_safetensors(path, state, about)
    before = encode_texts(fresh, texts)
    assert refused(path, fresh) in ("adapter_misfit", "adapter_foreign")
    assert (encode_texts(fresh, texts) == before).all() and not list(adapters(fresh.clip))
