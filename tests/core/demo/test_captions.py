import random
from collections import defaultdict

from core.demo.captions import MAX_CAPTION, full_caption, modern_captions
from core.demo.lexicon import KINDS
from core.demo.scenes import Scene, make_scenes

SCENE = Scene("bridge", 2, "lake", "left", "near", "winter", "pagoda", "east_of", "rain", "geese", 5)


def test_captions_are_short_enough_to_be_read_whole() -> None:
    rng = random.Random(1)
    for scene in make_scenes(1500, 2):
        for caption in [*modern_captions(scene, rng, 2), full_caption(scene, rng)]:
            assert 8 <= len(caption) <= MAX_CAPTION


def test_captions_vary_and_repeat_with_their_seed() -> None:
    captions = modern_captions(SCENE, random.Random(3), 40)
    assert len(set(captions)) > 30
    assert captions == modern_captions(SCENE, random.Random(3), 40)


def test_a_full_caption_says_everything() -> None:
    for seed in range(30):
        caption = full_caption(SCENE, random.Random(seed))
        assert any(word in caption for word in KINDS["bridge"].modern)
        assert any(word in caption for word in KINDS["pagoda"].modern)
        for words in (("两座",), ("湖",), ("左",), ("近", "眼前"), ("冬",), ("雪",), ("右", "东"), ("雁",)):
            assert any(word in caption for word in words), (words, caption)


def test_rain_in_winter_is_snow() -> None:
    assert not any("雨" in caption for caption in modern_captions(SCENE, random.Random(1), 60))


def test_what_is_unsaid_is_not_said() -> None:
    for seed in range(30):
        assert "雁" not in full_caption(SCENE, random.Random(seed), frozenset({"guest"}))


def test_full_captions_tell_scenes_apart() -> None:
    rng = random.Random(5)
    owners: dict[str, list[Scene]] = defaultdict(list)
    for scene in make_scenes(500, 9, part="benchmark"):
        owners[full_caption(scene, rng)].append(scene)
    assert len(owners) == 500
