"""A picture as people see it (upright, sRGB, eight bits, on white), as RGB or as a small JPEG."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageCms, ImageOps

from core.errors import InputError

THUMBNAIL_SIDE = 320
PREVIEW_SIDE = 1280
JPEG_QUALITY = 90

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION_TAG = 0x0112
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def normalised(data: bytes, max_side: int | None = None) -> Image.Image:
    """The first frame as an RGB image, upright, on white, in sRGB; no larger than ``max_side`` when given.

    Raises InputError ``picture_broken`` for bytes that do not decode (stored ones were checked on arrival).
    """
    try:
        with Image.open(BytesIO(data)) as image:
            if max_side is not None:
                # JPEG decodes at a half, a quarter or an eighth for less; never below what is asked.
                image.draft(None, (max_side, max_side))
            return _to_rgb(upright(image), max_side)
    except Exception as error:  # decoders raise whatever the damage leads them to
        raise InputError("picture_broken", name="") from error


def preview(data: bytes, max_side: int = PREVIEW_SIDE) -> bytes:
    """A JPEG of at most ``max_side`` pixels a side, without EXIF (a place may hide in it); never enlarged."""
    return as_jpeg(normalised(data, max_side))


def renditions(data: bytes) -> tuple[bytes, bytes]:
    """The preview and the thumbnail of a picture, as JPEG, decoding it once."""
    image = normalised(data, PREVIEW_SIDE)
    return as_jpeg(image), as_jpeg(_within(image, THUMBNAIL_SIDE))


def for_dataset(data: bytes, max_side: int) -> bytes:
    """The bytes a dataset holds: the file itself where every reader sees the same in it, else a JPEG.

    A plain RGB or grey JPEG or PNG within ``max_side`` is kept byte for byte, so nothing is compressed twice.
    """
    try:
        with Image.open(BytesIO(data)) as image:
            image.load()
            plain = (
                image.format in ("JPEG", "PNG")
                and image.mode in ("RGB", "L")
                and max(image.size) <= max_side
                and _orientation(image) == 1
                and not {"icc_profile", "transparency"} & image.info.keys()
            )
    except Exception as error:  # decoders raise whatever the damage leads them to
        raise InputError("picture_broken", name="") from error
    return data if plain else preview(data, max_side)


def as_jpeg(image: Image.Image) -> bytes:
    """An RGB image as JPEG bytes."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return buffer.getvalue()


def upright(image: Image.Image) -> Image.Image:
    """The decoded picture, turned as its EXIF orientation says."""
    image.load()
    turn = _TURNS.get(_orientation(image))
    return image.transpose(turn) if turn is not None else image


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001 - a damaged EXIF block is no reason to refuse a picture that decodes
        return 1


def _to_rgb(image: Image.Image, max_side: int | None) -> Image.Image:
    profile = image.info.get("icc_profile")
    image = _on_white(_eight_bits(image))
    if max_side is not None:
        image = _within(image, max_side)
    if profile and (converted := _in_srgb(image, profile)) is not None:
        return converted
    if image.mode == "LAB":
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        converted = ImageCms.profileToProfile(image, lab, _SRGB, outputMode="RGB")
        if converted is not None:
            return converted
    return image.convert("RGB")


def _within(image: Image.Image, max_side: int) -> Image.Image:
    if max(image.size) <= max_side:
        return image
    scale = max_side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Sixteen-bit, 32-bit and floating-point greys brought to eight bits; one-bit pictures to grey."""
    if image.mode == "1":
        return image.convert("L")
    if not image.mode.startswith(("I", "F")):
        return image
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    values = np.nan_to_num(np.asarray(image, dtype=np.float32))
    low, high = _range(values)
    scaled = (values - low) / max(high - low, 1e-12) * 255
    return Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))


def _range(values: np.ndarray) -> tuple[float, float]:
    """Black and white of a 32-bit or floating-point grey: a usual scale where it fits, else its extremes."""
    low, high = float(values.min()), float(values.max())
    if low >= 0:
        for usual in (1.0, 255.0, 65535.0):
            if high <= usual:
                return 0.0, usual
    return low, high


def _on_white(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(ground, image).convert("RGB")
    return image.convert("RGB") if image.mode == "P" else image


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image | None:
    """The picture in sRGB, or None where the profile cannot be applied (then its numbers count as sRGB)."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        return ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def grey(image: Image.Image) -> Image.Image:
    """A decoded picture of any mode in eight-bit grey, on white."""
    return ImageOps.grayscale(image if image.mode in ("L", "RGB") else _to_rgb(image, PREVIEW_SIDE))
