from io import BytesIO

import numpy as np
from PIL import Image

from core.imaging.fingerprint import difference_hash, distance, near_duplicates


def blobs(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    return small.resize((400, 300), Image.Resampling.BICUBIC)


def resaved(image: Image.Image, quality: int, size: tuple[int, int]) -> Image.Image:
    buffer = BytesIO()
    image.resize(size).save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def test_rising_greys_set_every_bit_and_falling_ones_none() -> None:
    rising = Image.fromarray(np.tile(np.arange(0, 252, 28, dtype=np.uint8), (8, 1)))
    assert difference_hash(rising) == "f" * 16
    assert difference_hash(rising.transpose(Image.Transpose.FLIP_LEFT_RIGHT)) == "0" * 16
    one = Image.fromarray(np.array([[0, 9] + [9] * 7] + [[9] * 9] * 7, dtype=np.uint8))
    assert difference_hash(one) == "80" + "0" * 14


def test_a_resaved_picture_stays_near_and_another_is_far() -> None:
    first = difference_hash(blobs(1))
    assert distance(first, difference_hash(resaved(blobs(1), 60, (200, 150)))) <= 2
    assert distance(first, difference_hash(blobs(2))) > 10
    assert distance("0" * 16, "f" * 16) == 64


def test_near_pairs_equal_the_naive_ones_across_blocks() -> None:
    rng = np.random.default_rng(5)
    values = [int(v) for v in rng.integers(1, 2**63, 1500, dtype=np.uint64)]
    values[1400] = values[3] ^ 0b101
    values[1401] = values[3] ^ 0b111
    values[7] = values[6]
    named = {f"p{i}": f"{v:016x}" for i, v in enumerate(values)}
    assert near_duplicates(named) == [("p3", "p1400"), ("p6", "p7"), ("p1400", "p1401")]
    assert ("p3", "p1401") in near_duplicates(named, limit=3)


def test_flat_pictures_are_no_duplicates_of_each_other() -> None:
    flat = {i: difference_hash(Image.new("RGB", (50, 50), colour)) for i, colour in enumerate(["red", "blue"])}
    assert near_duplicates(flat) == []
