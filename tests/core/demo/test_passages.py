import random

import pytest

from core.demo.lexicon import KINDS, SEASONS
from core.demo.passages import GENERATED_SOURCE, GENERATED_WORK, chapter_of, compose_passage, simplified
from core.demo.scenes import Scene, make_scenes
from core.texts.annotation import AnnotationValue, value_from_json, value_to_json
from core.texts.vocabulary import place_type, relation_type

SCENE = Scene("pagoda", 2, "lake", "left", "near", "autumn", "gate", "east_of", "rain", "geese", 5)


def passages(count: int, seed: int = 1) -> list[tuple[Scene, str, AnnotationValue]]:
    rng = random.Random(seed)
    return [(scene, *compose_passage(scene, rng)) for scene in make_scenes(count, seed)]


def test_offsets_are_exact_code_points() -> None:
    beyond_the_first_plane = 0
    for _, text, value in passages(1500):
        beyond_the_first_plane += any(ord(char) > 0xFFFF for char in text)
        for entity in value.entities:
            assert entity.mentions
            for start, end in entity.mentions:
                assert text[start:end] == entity.name
        for relation in value.relations:
            assert relation.evidence is not None
            start, end = relation.evidence
            assert 0 <= start < end <= len(text)
            assert value.entity(relation.subject) and value.entity(relation.object)
    assert beyond_the_first_plane  # 𬮱: where UTF-16 offsets would go wrong


def test_types_and_relations_are_of_the_closed_lists() -> None:
    for scene, text, value in passages(400):
        for entity in value.entities:
            assert place_type(entity.type).code == entity.type
        for relation in value.relations:
            assert relation_type(relation.code).code == relation.code
        ground, main, second = value.entities
        assert ground.type == scene.ground
        assert (main.type, second.type) == (KINDS[scene.kind].code, KINDS[scene.second].code)
        said = value.relations[1]
        assert (said.subject, said.code, said.object) == ("e3", scene.relation, "e2")
        start, end = value.relations[0].evidence or (0, 0)
        if scene.side != "middle":
            assert ("西" if scene.side == "left" else "東东") and text[start:end].strip() != ""
            assert any(char in text[start:end] for char in ("西" if scene.side == "left" else "東东"))


def test_a_reference_is_complete_and_can_be_stored() -> None:
    for _, text, value in passages(300):
        assert all((value.spatial_relation, value.modern_chinese, value.english, value.search_prompt))
        assert max(len(text), len(value.modern_chinese), len(value.search_prompt)) <= 50
        assert value.english.isascii()
        assert value_from_json(value_to_json(value)) == value


def test_passages_speak_another_language_than_captions() -> None:
    words = [word for kind in KINDS.values() for word in kind.modern if len(word) > 1]
    words += [word for season in SEASONS.values() for word in season.modern]
    for _, text, _ in passages(500):
        assert not [word for word in words if word in text]


def test_both_scripts_occur_and_the_seed_decides() -> None:
    texts = [text for _, text, _ in passages(200)]
    traditional = sum(simplified(text) != text for text in texts)
    assert 60 < traditional < 140
    assert texts == [text for _, text, _ in passages(200)]
    assert len(set(texts)) == 200


def test_simplifying_keeps_the_length() -> None:
    assert simplified("麗譙鼎峙，闉闍在東") == "丽谯鼎峙，𬮱阇在东"


@pytest.mark.parametrize(("name", "words"), [("guest", ("雁", "鴻", "鸿")), ("weather", ("雨", "滂沱"))])
def test_what_is_left_unsaid_is_in_no_text(name: str, words: tuple[str, ...]) -> None:
    for seed in range(40):
        text, value = compose_passage(SCENE, random.Random(seed), frozenset({name}))
        for word in words:
            assert word not in text + value.modern_chinese + value.search_prompt
        text, value = compose_passage(SCENE, random.Random(seed))
        assert any(word in text for word in words)


def test_generated_text_is_named_as_such() -> None:
    assert "生成" in GENERATED_SOURCE and "生成" in GENERATED_WORK and "生成" in chapter_of(SCENE)
