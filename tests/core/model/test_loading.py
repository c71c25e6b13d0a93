import json
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from core.errors import ModelError
from core.model import loading, spec
from core.model.loading import default_model, load_model, weights_present
from core.model.preprocess import normalise, preprocess
from core.model.spec import RELEASED, ModelSpec, inferred_config, released_config
from core.model.weights import save_merged, write_safetensors


def refused(name, folder, device="cpu"):
    with pytest.raises(ModelError) as error:
        load_model(str(name), folder, device)
    return error.value


def original_file(path, state):
    """The original Chinese-CLIP checkpoint: prefixed, half precision, with BERT's pooler."""
    half = {f"module.{k}": v.half() if v.is_floating_point() else v for k, v in state.items()}
    half["module.bert.pooler.dense.weight"] = torch.zeros(2, 2)
    torch.save({"epoch": 9, "step": 1, "name": "x", "state_dict": half}, path)


@pytest.fixture
def mini_folder(tmp_path, monkeypatch, model):
    monkeypatch.setattr(spec, "MINI_FOLDER", tmp_path)
    monkeypatch.setattr(loading, "MINI_FOLDER", tmp_path)
    (tmp_path / "mini.json").write_text(json.dumps(dict(model.spec.config)), encoding="utf-8")
    return tmp_path


def test_missing_weights_name_the_file_and_the_folder(tmp_path):
    error = refused("ViT-B-16", tmp_path)
    assert error.code == "weights_absent"
    folder = str(tmp_path.absolute())
    assert error.details == {"model": "ViT-B-16", "file": "clip_cn_vit-b-16.pt", "folder": folder}


def test_unknown_name_missing_file_missing_device(tmp_path):
    error = refused("ViT-Z-99", tmp_path)
    assert error.code == "model_unknown" and "mini" in error.details["known"]
    assert refused(tmp_path / "none.pt", tmp_path).code == "weights_missing"
    assert refused("ViT-B-16", tmp_path, device="warp").code == "device_missing"


def test_mini_comes_from_its_own_folder_as_fp32(mini_folder, state, capsys):
    assert refused("mini", mini_folder / "elsewhere").code == "weights_missing"
    safetensors.torch.save_file({k: v.half() for k, v in state.items()}, mini_folder / "mini.safetensors")
    model = load_model("mini", mini_folder / "elsewhere", device="auto")
    assert (model.spec.name, model.spec.resolution, model.spec.release) == ("mini", 32, None)
    assert {p.dtype for p in model.clip.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in model.clip.parameters()) and not model.clip.training
    assert capsys.readouterr().out == ""  # --json promises one document on standard output


def test_original_and_our_format_of_the_same_weights_are_the_same_model(tmp_path, model, state):
    half = {k: v.half().float() for k, v in state.items()}
    model.clip.load_state_dict(loading.build_clip(model.spec.config, half).state_dict())
    original_file(tmp_path / "clip.pt", state)
    save_merged(tmp_path / "clip.safetensors", model.clip, model.spec)
    ours = load_model(str(tmp_path / "clip.safetensors"), tmp_path)
    assert dict(ours.spec.config) == dict(model.spec.config) and ours.spec.name == "clip"
    # a .pt file says nothing of its heads: 64 wide as everywhere in CLIP
    original = load_model(str(tmp_path / "clip.pt"), tmp_path)
    assert original.spec.config.get("vision_head_width", 64) == 64
    assert original.fingerprint == ours.fingerprint


def test_fingerprint_changes_with_one_number(tmp_path, model, state):
    save_merged(tmp_path / "a.safetensors", model.clip, model.spec)
    first = load_model(str(tmp_path / "a.safetensors"), tmp_path)
    assert first.fingerprint == model.fingerprint == first.key
    model.clip.text_projection.data[0, 0] += 1e-3
    save_merged(tmp_path / "b.safetensors", model.clip, model.spec)
    assert load_model(str(tmp_path / "b.safetensors"), tmp_path).fingerprint != model.fingerprint


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return exec, (f"open({str(self.trace)!r}, 'w').write('ran')",)


@pytest.mark.parametrize("form", ["zip", "legacy", "bare", "in the place of a released model"])
def test_a_pickle_that_runs_code_is_refused_unread(tmp_path, state, form):
    trace, file = tmp_path / "trace", tmp_path / "evil.pt"
    evil = {"state_dict": {**state, "evil": Evil(trace)}}
    if form == "bare":
        file.write_bytes(pickle.dumps(evil))
    else:
        torch.save(evil, file, _use_new_zipfile_serialization=form != "legacy")
    torch.load(file, weights_only=False) if form != "bare" else pickle.loads(file.read_bytes())
    assert trace.read_text() == "ran"  # it is a real one
    trace.unlink()
    if form == "in the place of a released model":
        file.rename(tmp_path / RELEASED["RN50"].file)
        error = refused("RN50", tmp_path)
    else:
        error = refused(file, tmp_path)
    assert error.code == "weights_unsafe" and error.details["file"].endswith(".pt")
    assert not trace.exists()


def test_damaged_and_foreign_files(tmp_path, state):
    original_file(tmp_path / "whole.pt", state)
    whole = (tmp_path / "whole.pt").read_bytes()
    (tmp_path / "half.pt").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.pt").write_text("德寿宫", encoding="utf-8")
    (tmp_path / "empty.pt").write_bytes(b"")
    (tmp_path / "text.safetensors").write_text("德寿宫", encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "zip.pt", "w") as archive:
        archive.writestr("a.txt", "a")
    for name in ("half.pt", "text.pt", "empty.pt", "text.safetensors", "zip.pt"):
        assert refused(tmp_path / name, tmp_path).code == "weights_damaged", name
    torch.save({"state_dict": {"fc.weight": torch.zeros(2)}}, tmp_path / "other.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    assert refused(tmp_path / "other.pt", tmp_path).code == "weights_foreign"
    assert refused(tmp_path / "list.pt", tmp_path).code == "weights_foreign"
    missing = {k: v for k, v in state.items() if k != "text_projection"}
    original_file(tmp_path / "part.pt", missing)
    assert refused(tmp_path / "part.pt", tmp_path).code == "weights_misfit"


@pytest.mark.parametrize("name", RELEASED)
def test_released_shapes_are_recognised(name):
    from cn_clip.clip.model import CLIP

    config = released_config(name)
    with torch.device("meta"):
        clip = CLIP(**config)
    guessed = ModelSpec("file", inferred_config(clip.state_dict()))
    assert guessed.release == RELEASED[name]
    assert guessed.resolution == ModelSpec(name, config).resolution
    assert guessed.resnet == (name == "RN50")


def test_the_release_table_is_that_of_cn_clip():
    from cn_clip.clip import utils

    assert {name: release.file for name, release in RELEASED.items()} == {
        name: file for name, (_, file) in utils._MODELS.items()
    }
    for name, info in utils._MODEL_INFO.items():
        assert f"{RELEASED[name].vision}@{RELEASED[name].text}" == info["struct"]
        assert ModelSpec(name, released_config(name)).resolution == info["input_resolution"]


def test_the_largest_present_is_the_default(tmp_path):
    assert default_model(tmp_path / "none") == "mini" and weights_present(tmp_path) == []
    for name in ("RN50", "ViT-L-14", "ViT-B-16"):
        (tmp_path / RELEASED[name].file).write_bytes(b"12")
        expected = "RN50" if name == "RN50" else "ViT-L-14"
        assert default_model(tmp_path) == expected
    assert [w.model for w in weights_present(tmp_path)] == ["ViT-L-14", "ViT-B-16", "RN50"]


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK", "1"])
def test_pixels_equal_those_of_cn_clip(pictures, mode):
    from cn_clip.clip import image_transform

    image = pictures[0].convert(mode)
    ours = normalise(torch.from_numpy(preprocess(image, 48))[None])[0]
    assert torch.equal(ours, image_transform(48)(image))


def test_tokens_equal_those_of_training(model, texts):
    from cn_clip.clip import tokenize
    from cn_clip.training.data import _preprocess_text

    long = [*texts, "桥" * 80]
    ours = model.tokenize(long)
    assert torch.equal(ours, tokenize([_preprocess_text(text) for text in long]))
    assert ours.shape == (6, 52) and ours.dtype == torch.int64
    assert not torch.equal(ours[2:4], tokenize(long[2:4]))  # capitals and curly quotes do matter


FLASH_ATTN = (
    "__version__ = '2.8'",  # version 2 has no flash_attention module, and cn_clip imports it blindly
    "raise ImportError('flash_attn_2_cuda.so: undefined symbol: _ZN3c104')",  # built for another torch
    "raise RuntimeError('no kernel image is available for execution on the device')",
)


def test_any_flash_attn_is_named_instead_of_a_crash(tmp_path, state):
    original_file(tmp_path / "clip.pt", state)
    script = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from core.errors import ModelError\n"
        "from core.model.loading import load_model\n"
        f"for source in {FLASH_ATTN!r}:\n"
        "    package = Path(sys.argv[1], 'flash_attn'); package.mkdir(exist_ok=True)\n"
        "    (package / '__init__.py').write_text(source)\n"
        "    for name in [n for n in sys.modules if n.startswith('flash_attn')]: del sys.modules[name]\n"
        "    try: load_model(sys.argv[1] + '/clip.pt', Path('.'))\n"
        "    except ModelError as error: print(error.code)\n"
    )
    command = [sys.executable, "-B", "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.split() == ["flash_attn"] * 3, done.stderr


def test_a_tiny_picture_is_stretched(model):
    assert model.preprocess(Image.new("RGB", (1, 3))).shape == (3, 32, 32)
    assert model.preprocess(Image.new("RGB", (1, 3))).dtype == np.uint8


def test_the_shipped_mini_model_encodes(tmp_path, texts, pictures):
    model = load_model("mini", tmp_path)
    assert (model.spec.resolution, len(model.fingerprint)) == (112, 64)
    assert model.text_features(model.tokenize(texts)).shape == (5, model.spec.dim)
    assert model.image_features(torch.from_numpy(model.preprocess(pictures[0]))[None]).shape == (1, model.spec.dim)


def test_a_release_without_attention_loads_as_cn_clip_loads_it(tmp_path, random_state, pictures, texts):
    """RN50, whose configuration file holds a text that cn_clip gives to eval."""
    from cn_clip.clip import load_from_name

    original_file(tmp_path / RELEASED["RN50"].file, random_state(released_config("RN50")))
    theirs, transform = load_from_name(
        str(tmp_path / RELEASED["RN50"].file),
        device="cpu",
        vision_model_name="RN50",
        text_model_name="RBT3-chinese",
        input_resolution=224,
    )
    model = load_model("RN50", tmp_path)
    tokens, pixels = model.tokenize(texts), torch.from_numpy(model.preprocess(pictures[0]))[None]
    with torch.no_grad():
        images = torch.nn.functional.normalize(theirs.eval().encode_image(transform(pictures[0])[None]), dim=-1)
        words = torch.nn.functional.normalize(theirs.encode_text(tokens), dim=-1)
        assert (model.image_features(pixels) - images).abs().max() < 1e-5
        assert (model.text_features(tokens) - words).abs().max() < 1e-5


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_weights_that_are_no_numbers_are_refused_by_the_files_name(tmp_path, state, value, suffix):
    file = tmp_path / f"bad.{suffix}"
    spoilt = {**state, "text_projection": torch.full_like(state["text_projection"], value)}
    torch.save(spoilt, file) if suffix == "pt" else safetensors.torch.save_file(spoilt, file)
    error = refused(file, tmp_path)
    assert (error.code, error.details) == ("weights_no_number", {"file": file.name})


@pytest.mark.parametrize("kind", ["complex", "sparse", "meta", "keys"])
def test_tensors_of_another_kind_are_foreign(tmp_path, state, kind):
    first = state["text_projection"]
    change = {
        "complex": {"text_projection": first.to(torch.complex64)},
        "sparse": {"text_projection": first.to_sparse()},
        "meta": {"text_projection": first.to("meta")},
        "keys": {5: first},
    }
    torch.save({**state, **change[kind]}, tmp_path / "other.pt")
    assert refused(tmp_path / "other.pt", tmp_path).code in ("weights_foreign", "weights_damaged")


@pytest.mark.parametrize(
    "change",
    [
        {"text_num_hidden_layers": 10**7},
        {"vision_layers": [10**7]},
        {"vision_width": 10**9},
        {"vocab_size": 10**12},
        {"vision_layers": "2"},
        {"embed_dim": None},
        {"text_hidden_act": "x"},
        {"text_num_attention_heads": 7},
        {"more": 1},
        5,
    ],
    ids=str,
)
def test_a_shape_that_cannot_be_is_refused_before_it_is_built(tmp_path, model, state, change):
    config = {**model.spec.config, **change} if isinstance(change, dict) else change
    write_safetensors(tmp_path / "a.safetensors", state, {"config": config})
    assert refused(tmp_path / "a.safetensors", tmp_path).code in ("weights_foreign", "weights_misfit")
