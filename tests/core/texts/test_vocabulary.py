import pytest

from core.errors import InputError
from core.texts.vocabulary import (
    PLACE_TYPES,
    RELATION_TYPES,
    map_kind,
    map_relation,
    map_type,
    place_type,
    relation_type,
)


def test_every_type_maps_to_itself_by_code_and_name() -> None:
    assert len(PLACE_TYPES) == 33
    for kind in PLACE_TYPES:
        for label in (kind.code, kind.zh, kind.en, kind.code.upper()):
            assert map_type(label) == (kind.code, label)
        assert kind.lp_class in "SPRTHAL"
        assert place_type(kind.code) is kind


@pytest.mark.parametrize(
    ("label", "code"),
    [
        ("宫殿", "palace"),
        ("桥", "bridge"),
        ("橋梁", "bridge"),
        ("bridge", "bridge"),
        ("Palace", "palace"),
        ("佛寺", "monastery"),
        ("Stone Bridge", "bridge"),
        ("石拱桥", "bridge"),
        ("宫殿类", "palace"),
        ("桥梁建筑", "bridge"),
        ("酒楼", "shop"),
        ("granted residence", "residence"),
        ("寺", "monastery"),
        ("风景名胜", "other"),
        ("", "other"),
    ],
)
def test_wordings_map_to_the_closed_list_and_are_kept(label: str, code: str) -> None:
    assert map_type(label) == (code, label)


def test_classes_above_the_type() -> None:
    assert [map_kind(label) for label in ("人物", "官职", "年号", "书名", "宫殿", "")] == [
        "person",
        "office",
        "date",
        "work",
        "place",
        "place",
    ]


def test_every_relation_maps_to_itself_and_inverses_are_mutual() -> None:
    for kind in RELATION_TYPES:
        assert map_relation(kind.code)[0] == map_relation(kind.zh)[0] == map_relation(kind.en)[0] == kind.code
        if kind.inverse:
            assert relation_type(kind.inverse).inverse == kind.code
    assert "contains" not in {kind.code for kind in RELATION_TYPES}


@pytest.mark.parametrize(
    ("label", "code"),
    [
        ("东侧", "east_of"),
        ("在…東", "east_of"),
        ("East-of", "east_of"),
        ("位于……内", "inside"),
        ("次曰", "next_in_sequence"),
        ("俗呼", "alias_of"),
        ("包含", "contains"),
        ("怀古", "other"),
    ],
)
def test_relation_wordings(label: str, code: str) -> None:
    assert map_relation(label) == (code, label)


def test_codes_outside_the_lists_are_refused() -> None:
    with pytest.raises(InputError, match="place_type_unknown"):
        place_type("castle")
    with pytest.raises(InputError, match="relation_unknown"):
        relation_type("left_of")
