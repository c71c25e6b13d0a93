from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from core.errors import InputError
from core.imaging.normalise import for_dataset, normalised, preview, renditions


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def corners() -> Image.Image:
    """Red on the upper left, green upper right, blue lower left, white lower right; 60 x 40."""
    image = Image.new("RGB", (60, 40), "white")
    image.paste("red", (0, 0, 30, 20))
    image.paste((0, 255, 0), (30, 0, 60, 20))
    image.paste("blue", (0, 20, 30, 40))
    return image


def near(pixel: object, expected: tuple[int, int, int], slack: int = 12) -> bool:
    return bool(np.abs(np.array(pixel, dtype=int) - expected).max() <= slack)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG"])
def test_every_exif_orientation_comes_out_upright(orientation: int, form: str) -> None:
    # The inverse of what the tag asks for, written out for each value of the standard (EXIF 2.3, 0x0112).
    undo = {
        1: lambda i: i,
        2: lambda i: i.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: lambda i: i.transpose(Image.Transpose.ROTATE_180),
        4: lambda i: i.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: lambda i: i.transpose(Image.Transpose.TRANSPOSE),
        6: lambda i: i.transpose(Image.Transpose.ROTATE_90),
        7: lambda i: i.transpose(Image.Transpose.TRANSVERSE),
        8: lambda i: i.transpose(Image.Transpose.ROTATE_270),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = normalised(encoded(undo[orientation](corners()), form, exif=exif))
    assert image.size == (60, 40)
    assert near(image.getpixel((10, 8)), (255, 0, 0))
    assert near(image.getpixel((50, 8)), (0, 255, 0))
    assert near(image.getpixel((10, 32)), (0, 0, 255))


def test_transparency_lies_on_white() -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert normalised(encoded(clear, "PNG")).getpixel((3, 3)) == (255, 255, 255)
    half = Image.new("RGBA", (8, 8), (0, 0, 0, 128))
    assert near(normalised(encoded(half, "PNG")).getpixel((3, 3)), (127, 127, 127), 2)


def test_transparency_of_palettes_and_keyed_greys_lies_on_white() -> None:
    palette = corners().convert("P", palette=Image.Palette.ADAPTIVE)
    red = palette.getpixel((5, 5))
    image = normalised(encoded(palette, "PNG", transparency=red))
    assert image.getpixel((5, 5)) == (255, 255, 255)
    assert near(image.getpixel((5, 30)), (0, 0, 255))
    grey = Image.new("L", (8, 8), 40)
    assert normalised(encoded(grey, "PNG", transparency=40)).getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "F"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    if mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(corners(), srgb, lab, outputMode="LAB")
    elif mode == "I;16":
        image = Image.fromarray((np.asarray(corners().convert("L")).astype(np.uint16)) * 257)
    elif mode == "F":
        image = Image.fromarray(np.asarray(corners().convert("L")).astype(np.float32) / 255)
    else:
        image = corners().convert(mode)
    result = normalised(encoded(image, "PNG" if mode in ("P", "LA", "RGBA") else "TIFF"))
    assert result.mode == "RGB"
    assert near(result.getpixel((50, 32)), (255, 255, 255))
    if mode in ("RGB", "RGBA", "P", "YCbCr", "CMYK"):
        assert near(result.getpixel((10, 8)), (255, 0, 0))
    elif mode in ("L", "LA", "I;16", "F"):
        assert near(result.getpixel((10, 8)), (76, 76, 76), 2)


def test_sixteen_bit_greys_keep_their_scale() -> None:
    dark = Image.fromarray(np.full((8, 8), 20_000, dtype=np.uint16))
    assert near(normalised(encoded(dark, "PNG")).getpixel((2, 2)), (77, 77, 77), 1)


def test_an_icc_profile_is_applied(tmp_path: Path) -> None:
    # A grey of 128 with gamma 1.0 (linear light) is 188 in sRGB; without the profile it would stay 128.
    profile = linear_grey_profile()
    data = encoded(Image.new("L", (8, 8), 128), "PNG", icc_profile=profile)
    assert near(normalised(data).getpixel((2, 2)), (188, 188, 188), 2)


def linear_grey_profile() -> bytes:
    """A minimal ICC v2 grey profile with a gamma of 1.0."""
    import struct

    def tag(body: bytes) -> bytes:
        return body + b"\0" * (-len(body) % 4)

    white = tag(b"XYZ \0\0\0\0" + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D))
    curve = tag(b"curv\0\0\0\0" + struct.pack(">I", 0))
    text = b"linear grey\0"
    name = tag(b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + b"\0" * 78)
    bodies = [(b"wtpt", white), (b"kTRC", curve), (b"desc", name)]
    offset, table = 128 + 4 + 12 * len(bodies), struct.pack(">I", len(bodies))
    for key, body in bodies:
        table += key + struct.pack(">II", offset, len(body))
        offset += len(body)
    head = struct.pack(">I4sI4s4s4s", offset, b"\0" * 4, 0x02100000, b"mntr", b"GRAY", b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    head += struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    return head + b"\0" * (128 - len(head)) + table + b"".join(body for _, body in bodies)


def test_a_broken_icc_profile_is_passed_over() -> None:
    data = encoded(corners(), "PNG", icc_profile=b"this is no profile")
    assert near(normalised(data).getpixel((10, 8)), (255, 0, 0))


def test_a_preview_is_a_small_jpeg_without_exif() -> None:
    exif = Image.Exif()
    exif[0x010E] = "at home"
    exif[0x0112] = 6
    wide = corners().resize((3000, 1000))
    with Image.open(BytesIO(preview(encoded(wide, "JPEG", exif=exif), 320))) as image:
        assert image.format == "JPEG"
        assert image.mode == "RGB"
        assert image.size == (107, 320)
        assert not image.getexif()


def test_a_preview_never_enlarges_and_never_loses_a_side() -> None:
    with Image.open(BytesIO(preview(encoded(corners(), "PNG"), 320))) as image:
        assert image.size == (60, 40)
    thin = Image.new("RGB", (5000, 2), "red")
    with Image.open(BytesIO(preview(encoded(thin, "PNG"), 320))) as image:
        assert image.size == (320, 1)


def test_both_small_forms_come_from_one_decoding() -> None:
    large = corners().resize((2400, 1600))
    sizes = [Image.open(BytesIO(data)).size for data in renditions(encoded(large, "JPEG"))]
    assert sizes == [(1280, 853), (320, 213)]


def test_a_dataset_keeps_plain_files_and_converts_the_rest() -> None:
    plain = encoded(corners(), "PNG")
    assert for_dataset(plain, 512) == plain
    exif = Image.Exif()
    exif[0x0112] = 3
    for data in (
        encoded(corners(), "PNG", exif=exif),
        encoded(corners(), "TIFF"),
        encoded(corners().convert("RGBA"), "PNG"),
        encoded(corners(), "PNG", icc_profile=b"x"),
        encoded(corners().resize((900, 600)), "PNG"),
    ):
        result = for_dataset(data, 512)
        with Image.open(BytesIO(result)) as image:
            assert (image.format, image.mode) == ("JPEG", "RGB")
            assert max(image.size) <= 512


@pytest.mark.parametrize("function", [normalised, preview, lambda data: for_dataset(data, 512)])
def test_bytes_that_do_not_decode_are_a_clear_error(function: object) -> None:
    with pytest.raises(InputError, match="picture_broken"):
        function(encoded(corners(), "PNG")[:60])  # type: ignore[operator]
