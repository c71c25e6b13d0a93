"""A picture as it was given: recognised by its content, decoded as a proof, named by its hash."""

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image

from core.errors import InputError
from core.imaging.fingerprint import difference_hash
from core.imaging.normalise import upright

MAX_BYTES = 256 * 1024 * 1024
"""Largest file accepted."""
MAX_PIXELS = 100_000_000
"""Largest picture accepted, in pixels; more is refused from the header, before anything is decoded."""

EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "TIFF": "tif", "GIF": "gif", "BMP": "bmp"}
# Several phones write a JPEG with a second picture behind the first, which Pillow calls MPO.
_OPENED_AS = (*EXTENSIONS, "MPO")

# Pillow warns between its own limit and twice that; our limit is checked right after the header is read.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that decodes. ``width`` and ``height`` are as a person sees it (after the EXIF orientation).

    ``fingerprint`` is the difference hash as 16 hex digits; ``data`` the file byte for byte.
    """

    sha256: str
    format: str
    extension: str
    width: int
    height: int
    fingerprint: str
    data: bytes = field(repr=False)


def read_picture(data: bytes, name: str) -> Picture:
    """Validate a file as a picture; ``name`` only serves the message, the format comes from the content.

    JPEG, PNG, WebP, TIFF, BMP and the first frame of a GIF. Raises InputError: ``picture_empty``,
    ``picture_too_many_bytes``, ``picture_too_many_pixels``, ``picture_not_one`` (a size of
    zero too), ``picture_broken`` (recognised, but truncated or damaged).
    """
    if not data:
        raise InputError("picture_empty", name=name)
    if len(data) > MAX_BYTES:
        raise InputError("picture_too_many_bytes", name=name, megabytes=len(data) // 2**20, limit=MAX_BYTES // 2**20)
    with open_picture(data, name) as image:
        form = "JPEG" if image.format == "MPO" else str(image.format)
        try:
            # TIFF pictures are turned by Pillow while loading, so the size is read from the decoded picture.
            decoded = upright(image)
            fingerprint = difference_hash(decoded)
        except Exception as error:  # decoders raise whatever the damage leads them to
            raise InputError("picture_broken", name=name) from error
    return Picture(
        sha256=hashlib.sha256(data).hexdigest(),
        format=form,
        extension=EXTENSIONS[form],
        width=decoded.width,
        height=decoded.height,
        fingerprint=fingerprint,
        data=data,
    )


@contextmanager
def open_picture(data: bytes, name: str) -> Iterator[Image.Image]:
    """A picture's header, within the limits, nothing decoded; raises InputError as :func:`read_picture`."""
    try:
        image = Image.open(BytesIO(data), formats=_OPENED_AS)
    except Image.DecompressionBombError as error:
        raise InputError("picture_too_many_pixels", name=name, megapixels="> 200", limit=MAX_PIXELS // 10**6) from error
    except Exception as error:  # what the damage of a file makes a decoder raise has no bound
        raise InputError("picture_not_one", name=name) from error
    with image:
        pixels = image.width * image.height
        if pixels > MAX_PIXELS:
            raise InputError(
                "picture_too_many_pixels", name=name, megapixels=pixels // 10**6, limit=MAX_PIXELS // 10**6
            )
        yield image
