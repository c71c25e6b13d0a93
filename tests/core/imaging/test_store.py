from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from core.errors import NotFoundError
from core.imaging.picture import Picture, read_picture
from core.imaging.store import ImageStore, write_atomically


@pytest.fixture
def picture() -> Picture:
    buffer = BytesIO()
    Image.linear_gradient("L").resize((1500, 900)).convert("RGB").save(buffer, "PNG")
    return read_picture(buffer.getvalue(), "slope.png")


def test_originals_stand_by_hash_with_small_forms_beside(tmp_path: Path, picture: Picture) -> None:
    store = ImageStore(tmp_path / "images")
    path = store.put(picture)
    assert path == tmp_path / "images" / picture.sha256[:2] / f"{picture.sha256}.png"
    assert path == store.original(picture.sha256, "png")
    assert path.read_bytes() == picture.data == store.read(picture.sha256)
    assert Image.open(store.thumbnail(picture.sha256)).size == (320, 192)
    assert Image.open(store.preview(picture.sha256)).size == (1280, 768)
    assert sorted(p.name.partition(".")[2] for p in path.parent.iterdir()) == [
        "png",
        "preview.jpg",
        "thumb.jpg",
    ]


def test_storing_twice_touches_nothing(tmp_path: Path, picture: Picture) -> None:
    store = ImageStore(tmp_path)
    store.put(picture)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    store.put(picture)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_a_short_original_and_lost_small_forms_are_mended(tmp_path: Path, picture: Picture) -> None:
    store = ImageStore(tmp_path)
    path = store.put(picture)
    path.write_bytes(picture.data[:100])
    assert not store.intact(picture.sha256)
    store.put(picture)
    assert store.intact(picture.sha256)
    thumbnail = store.thumbnail(picture.sha256)
    thumbnail.unlink()
    assert store.thumbnail(picture.sha256) == thumbnail
    assert thumbnail.exists()


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    with pytest.raises(NotFoundError, match="picture_missing"):
        store.thumbnail("a" * 64)
    assert not store.intact("a" * 64)


@pytest.mark.parametrize("name", ["../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_only_hashes_and_known_extensions_become_paths(tmp_path: Path, name: str) -> None:
    store = ImageStore(tmp_path)
    with pytest.raises(ValueError):
        store.original(name, "jpg")
    with pytest.raises(ValueError):
        store.original("a" * 64, "../x")


def test_a_failed_write_leaves_the_old_file_and_no_crumbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bin"
    write_atomically(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
