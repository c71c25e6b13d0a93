import io
from collections import Counter

import pytest
from PIL import Image

from core.demo.passages import GENERATED_SOURCE
from core.demo.project import DemoProject, demo_project, paint_all
from core.texts.annotation import Status


@pytest.fixture(scope="module")
def project() -> DemoProject:
    return demo_project(0)


def test_size_stages_and_pairs(project: DemoProject) -> None:
    stages = Counter(passage.status for passage in project.passages)
    assert len(project.passages) == 300 and len(project.pictures) == 600
    assert set(stages) == {Status.NEW, Status.SUGGESTED, Status.DRAFT, Status.APPROVED}
    assert stages[Status.NEW] >= 40
    approved = {n for n, passage in enumerate(project.passages) if passage.status is Status.APPROVED}
    assert len({picture for passage, picture in project.pairs if passage in approved}) >= 400
    assert len(set(project.pairs)) == len(project.pairs)


def test_pictures_are_all_different_in_what_can_be_said(project: DemoProject) -> None:
    assert len({picture.scene.said() for picture in project.pictures}) == 600
    assert len({picture.file_name for picture in project.pictures}) == 600
    assert len({passage.text for passage in project.passages}) == 300


def test_pictures_of_one_passage_differ_only_in_what_it_leaves_unsaid(project: DemoProject) -> None:
    shown: dict[int, list[int]] = {}
    for passage, picture in project.pairs:
        shown.setdefault(passage, []).append(picture)
    twice = [pictures for pictures in shown.values() if len(pictures) == 2]
    assert len(twice) >= 180 and max(map(len, shown.values())) == 2
    for one, other in twice:
        first, second = project.pictures[one].scene, project.pictures[other].scene
        assert first.view() == second.view()
        assert (first.weather == second.weather) != (first.guest == second.guest)


def test_no_other_picture_shows_the_view_of_a_passage(project: DemoProject) -> None:
    of_view: dict[tuple[str, ...], set[int]] = {}
    for number, picture in enumerate(project.pictures):
        of_view.setdefault(picture.scene.view(), set()).add(number)
    for passage in {passage for passage, _ in project.pairs}:
        pictures = {picture for p, picture in project.pairs if p == passage}
        assert of_view[project.pictures[min(pictures)].scene.view()] == pictures


def test_values_fit_their_stage(project: DemoProject) -> None:
    for passage in project.passages:
        if passage.status is Status.NEW:
            assert passage.value is None
        elif passage.status is Status.APPROVED:
            assert passage.value == passage.reference
        else:
            assert passage.value is not None and passage.value != passage.reference
            for entity in passage.value.entities:
                assert [passage.text[a:b] for a, b in entity.mentions] == [entity.name]
            known = {entity.id for entity in passage.value.entities}
            assert all({r.subject, r.object} <= known for r in passage.value.relations)


def test_everything_says_that_it_is_generated(project: DemoProject) -> None:
    assert all(p.source == GENERATED_SOURCE and p.generated and "生成" in p.chapter for p in project.passages)
    assert all("generated" in p.rights and "生成" in p.source and "生成" in p.title for p in project.pictures)


def test_the_seed_decides() -> None:
    assert demo_project(1) == demo_project(1)
    assert demo_project(1) != demo_project(2)


def test_pictures_are_painted_lazily_and_in_order(project: DemoProject) -> None:
    files = project.jpegs()
    first = next(files)
    assert first == project.pictures[0].jpeg()
    assert Image.open(io.BytesIO(first)).size == (448, 448)
    scenes = [picture.scene for picture in project.pictures[:3]]
    assert list(paint_all(scenes, workers=2)) == [picture.jpeg() for picture in project.pictures[:3]]
