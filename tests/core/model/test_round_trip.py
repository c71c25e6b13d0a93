"""A ViT-B-16 with random weights all the way round: the original file, our tuning, and back into cn_clip's hands."""

import base64
import io
import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from core.dataset.lmdb_files import write_lmdb
from core.model.features import encode_images, encode_texts
from core.model.loading import build_clip, load_model
from core.model.lora import LoraConfig, apply_lora
from core.model.spec import RELEASED
from core.model.weights import save_merged

NAME = "ViT-B-16"
TEXTS = ["德寿宫在望仙桥东", "“断桥”残雪 ABC"]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, random_state, pictures):
    """Loaded from the original format, tuned two steps, merged: the file, and what the tuned model answers."""
    folder = tmp_path_factory.mktemp("round")
    file = folder / RELEASED[NAME].file
    state = random_state(load_config())
    half = {f"module.{key}": value.half() for key, value in state.items()}
    torch.save({"epoch": 9, "step": 1, "name": "x", "state_dict": half}, file)
    model = load_model(NAME, folder)
    file.unlink()
    base = encode_texts(model, TEXTS)
    names = apply_lora(model.clip, LoraConfig(rank=4, alpha=16))
    assert len(names) == 24 * 4
    two_steps(model, pictures[:2])
    model.clip.eval()
    answers = SimpleNamespace(
        file=folder / "merged.pt",
        base=base,
        images=encode_images(model, pictures[:2]),
        texts=encode_texts(model, TEXTS),
    )
    save_merged(answers.file, model.clip, model.spec)
    return answers


def load_config():
    from core.model.spec import released_config

    return released_config(NAME)


def two_steps(model, pictures):
    pixels = torch.stack([torch.from_numpy(model.preprocess(picture)) for picture in pictures])
    trained = [p for p in model.clip.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-2)
    model.clip.train()
    for _ in range(2):
        logits = model.image_features(pixels) @ model.text_features(model.tokenize(TEXTS)).T
        nn.functional.cross_entropy(20 * logits, torch.arange(len(pictures))).backward()
        optimizer.step()
        optimizer.zero_grad()


def test_load_from_name_gives_the_same_features(tuned, pictures):
    from cn_clip.clip import load_from_name, tokenize

    theirs, transform = load_from_name(
        str(tuned.file),
        device="cpu",
        vision_model_name="ViT-B-16",
        text_model_name="RoBERTa-wwm-ext-base-chinese",
        input_resolution=224,
    )
    theirs.eval()
    with torch.no_grad():
        images = theirs.encode_image(torch.stack([transform(p) for p in pictures[:2]]))
        texts = theirs.encode_text(tokenize(["德寿宫在望仙桥东", '"断桥"残雪 abc']))
    images, texts = (nn.functional.normalize(rows, dim=-1).numpy() for rows in (images, texts))
    # cn_clip rounds weights to fp16 when it loads them; the tuning moved the features much further than that
    assert abs(tuned.texts - tuned.base).max() > 5e-2
    assert abs(images - tuned.images).max() < 2e-3 and abs(texts - tuned.texts).max() < 2e-3
    # with the very weights that it then has, our model answers the same to the last digits
    ours = build_clip(load_config(), theirs.state_dict())
    with torch.no_grad():
        again = ours.encode_text(tokenize(["德寿宫在望仙桥东", '"断桥"残雪 abc']))
    assert abs(nn.functional.normalize(again, dim=-1).numpy() - texts).max() < 1e-5


def test_extract_features_reads_the_file(tuned, pictures, tmp_path, monkeypatch):
    """cn_clip's own script from its first line to its last; only the card it demands is this machine's CPU."""
    import cn_clip

    write_inputs(tmp_path, pictures[:2])
    monkeypatch.setattr(torch.cuda, "set_device", lambda number: None)
    monkeypatch.setattr(nn.Module, "cuda", lambda self, *_, **__: self)
    monkeypatch.setattr(torch.Tensor, "cuda", lambda self, *_, **__: self)
    options = {
        "resume": tuned.file,
        "precision": "fp32",
        "vision-model": "ViT-B-16",
        "text-model": "RoBERTa-wwm-ext-base-chinese",
        "image-data": tmp_path / "lmdb" / "imgs",
        "text-data": tmp_path / "texts.jsonl",
        "image-feat-output-path": tmp_path / "images.jsonl",
        "text-feat-output-path": tmp_path / "found.jsonl",
    }
    given = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    script = Path(cn_clip.__file__).parent / "eval" / "extract_features.py"
    monkeypatch.setattr(sys, "argv", [str(script), "--extract-image-feats", "--extract-text-feats", *given])
    runpy.run_path(str(script), run_name="__main__")
    # in fp32 nothing is rounded: the merged file is the tuned model
    assert abs(features(tmp_path / "images.jsonl") - tuned.images).max() < 1e-5
    assert abs(features(tmp_path / "found.jsonl") - tuned.texts).max() < 1e-5


def write_inputs(folder, pictures):
    rows = []
    for number, picture in enumerate(pictures, 1):
        out = io.BytesIO()
        picture.save(out, "png")
        rows.append(f"{number}\t{base64.b64encode(out.getvalue()).decode()}\n")
    (folder / "imgs.tsv").write_text("".join(rows), encoding="ascii")
    lines = [{"text_id": n, "text": text, "image_ids": [n]} for n, text in enumerate(TEXTS, 1)]
    (folder / "texts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    write_lmdb(folder / "lmdb", folder / "imgs.tsv", folder / "texts.jsonl")


def features(path):
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return np.array([row["feature"] for row in rows], dtype=np.float32)
