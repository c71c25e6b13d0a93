from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from core.dataset.records import DatasetImage, DatasetSplit, DatasetText

TEXTS = ["德寿宫在望仙桥东，元系秦太师赐第。", "“断桥”残雪 ABC", "第三\u2028条\n换行"]


def picture_bytes(number: int) -> bytes:
    noise = np.random.default_rng(number).integers(0, 256, (24, 30, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    return buffer.getvalue()


def image(number: int) -> DatasetImage:
    import hashlib

    data = picture_bytes(number)
    return DatasetImage(number, lambda: data, hashlib.sha256(data).hexdigest())


@pytest.fixture
def make_split() -> Callable[..., DatasetSplit]:
    """Twelve pictures from ``first`` on, and texts for one, for two and for the same picture twice over."""

    def make(first: int = 1) -> DatasetSplit:
        images = tuple(image(first + i) for i in range(12))
        texts = (
            DatasetText(first, TEXTS[0], (first, first + 11), "original", 7),
            DatasetText(first + 1, TEXTS[1], (first + 1,), "modern", 8),
            DatasetText(first + 2, TEXTS[2], tuple(range(first + 2, first + 12)), "prompt", 8),
        )
        return DatasetSplit(images, texts)

    return make
