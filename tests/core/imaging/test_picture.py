import hashlib
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from core.errors import InputError
from core.imaging import picture as module
from core.imaging.picture import read_picture

# Pillow warns of what is refused here in a sentence; pytest shows warnings that the program itself silences.
pytestmark = pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning", "ignore:Corrupt EXIF")


def painted(width: int = 64, height: int = 40) -> Image.Image:
    """A picture with content in all channels, so that nothing passes by being flat."""
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(3).integers(0, 40, (height, width))
    return Image.fromarray(np.stack([x * 3 % 216 + noise, y * 5 % 216 + noise, (x + y) % 256], -1).astype("uint8"))


def encoded(form: str, image: Image.Image | None = None, **options: object) -> bytes:
    buffer = BytesIO()
    (image or painted()).save(buffer, form, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("form", "extension"),
    [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp"), ("TIFF", "tif"), ("GIF", "gif"), ("BMP", "bmp")],
)
def test_each_format_is_known_by_its_content(form: str, extension: str) -> None:
    data = encoded(form)
    picture = read_picture(data, "misnamed.txt")
    assert (picture.format, picture.extension) == (form, extension)
    assert (picture.width, picture.height) == (64, 40)
    assert picture.data == data
    assert picture.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_size_is_what_a_person_sees(form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = read_picture(encoded(form, exif=exif), "x")
    assert (picture.width, picture.height) == (40, 64)


def test_a_phone_jpeg_with_a_second_picture_is_a_jpeg() -> None:
    data = encoded("MPO", save_all=True, append_images=[painted(32, 20)])
    picture = read_picture(data, "IMG_1.JPG")
    assert (picture.format, picture.extension, picture.width) == ("JPEG", "jpg", 64)


def test_the_first_frame_of_a_gif_counts() -> None:
    frames = [Image.new("RGB", (9, 5), colour) for colour in ("red", "blue")]
    data = encoded("GIF", frames[0], save_all=True, append_images=frames[1:])
    assert read_picture(data, "a.gif").height == 5


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_a_truncated_picture_is_refused(form: str) -> None:
    data = encoded(form, painted(300, 200))
    with pytest.raises(InputError) as caught:
        read_picture(data[: len(data) // 2], "half")
    assert caught.value.code in ("picture_broken", "picture_not_one")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "picture_empty"),
        ("德寿宫在望仙桥东".encode(), "picture_not_one"),
        (b"\x89PNG\r\n\x1a\n", "picture_not_one"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "picture_not_one"),
        (encoded("PPM"), "picture_not_one"),
        (png_header(0, 7), "picture_not_one"),
        (png_header(20_000, 15_000), "picture_too_many_pixels"),
        (png_header(12_000, 10_000), "picture_too_many_pixels"),
        (png_header(100, 100), "picture_broken"),
    ],
    ids=[
        *("empty", "text", "signature only", "svg", "ppm", "no width"),
        *("300 megapixels", "120 megapixels", "no pixels"),
    ],
)
def test_what_is_no_picture_is_refused_with_its_reason(data: bytes, code: str) -> None:
    with pytest.raises(InputError) as caught:
        read_picture(data, "some.jpg")
    assert caught.value.code == code
    assert caught.value.details["name"] == "some.jpg"


def test_a_large_picture_within_the_limit_is_only_refused_for_missing_pixels() -> None:
    with pytest.raises(InputError) as caught:
        read_picture(png_header(9_900, 9_900)[:-40], "x")
    assert caught.value.code in ("picture_broken", "picture_not_one")


def test_too_many_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match="picture_too_many_bytes"):
        read_picture(encoded("BMP"), "x")


def test_a_damaged_exif_block_does_not_refuse_a_picture() -> None:
    exif = b"Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\xff\x01\x12\x00\x03"
    assert read_picture(encoded("JPEG", exif=exif), "x").width == 64
