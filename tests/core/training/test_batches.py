import numpy as np
import pytest

from core.errors import InputError
from core.training.batches import epoch_batches
from core.training.data import TrainingData


def data(text_images, texts=None, images=10, rejected=()):
    texts = texts or [f"文{i}" for i in range(len(text_images))]
    return TrainingData(np.zeros((images, 3, 2, 2), np.uint8), texts, text_images, rejected)


THREE_EACH = data([[i // 3] for i in range(30)])


def test_every_paired_picture_once_an_epoch_with_one_of_its_texts():
    batches = epoch_batches(THREE_EACH, 4, seed=1, epoch=1)
    assert sorted(np.concatenate([b.images for b in batches])) == list(range(10))
    for batch in batches:
        assert len(batch.images) == len(batch.texts) <= 4
        assert sorted(t // 3 for t in batch.texts) == sorted(batch.images)


def test_texts_rotate_until_all_were_seen():
    seen = {t for epoch in (4, 5, 6) for b in epoch_batches(THREE_EACH, 4, 0, epoch) for t in b.texts}
    assert seen == set(range(30))


def as_lists(batches):
    return [(b.images.tolist(), b.texts.tolist()) for b in batches]


def test_seed_and_epoch_decide():
    first = as_lists(epoch_batches(THREE_EACH, 4, 7, 2))
    assert as_lists(epoch_batches(THREE_EACH, 4, 7, 2)) == first
    assert as_lists(epoch_batches(THREE_EACH, 4, 7, 3)) != first
    assert as_lists(epoch_batches(THREE_EACH, 4, 8, 2)) != first


@pytest.mark.parametrize(("pictures", "size", "sizes"), [(9, 4, [3, 3, 3]), (9, 8, [5, 4]), (3, 2, [3])])
def test_no_batch_of_a_single_picture(pictures, size, sizes):
    one_each = data([[i] for i in range(pictures)], images=pictures)
    assert [len(b.images) for b in epoch_batches(one_each, size, 0, 1)] == sizes


def test_pictures_without_text_are_left_out_and_shared_texts_come_once():
    shared = data([[1, 2, 3], [4]])
    assert shared.paired_images.tolist() == [1, 2, 3, 4]
    (batch,) = epoch_batches(shared, 8, 0, 1)
    assert batch.texts.tolist() == [0, 1]
    assert shared.positives(np.array([1, 3, 4]), batch.texts).tolist() == [[1, 0], [1, 0], [0, 1]]


def test_identical_wordings_of_different_pictures_are_positives():
    same = data([[0], [1], [2]], texts=["西湖", "断桥", "西湖"])
    found = same.positives(np.array([0, 1, 2]), np.array([0, 1]))
    assert found.tolist() == [[1, 0], [0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("text_images", "code"),
    [([[0], [99]], "training_data"), ([[0], []], "training_too_few"), ([[0, -1]], "training_data")],
)
def test_parts_that_do_not_fit(text_images, code):
    with pytest.raises(InputError) as error:
        data(text_images)
    assert error.value.code == code


def test_the_signature_follows_texts_and_pairs():
    assert data([[0], [1]]).signature() == data([[0], [1]]).signature()
    assert data([[0], [1]]).signature() != data([[0], [2]]).signature()
    assert data([[0], [1]]).signature() != data([[0], [1]], texts=["a", "b"]).signature()


def test_a_batch_beyond_the_data_is_all_of_it():
    (batch,) = epoch_batches(THREE_EACH, 8 * 500, 0, 1)
    assert len(batch.images) == 10


def test_all_texts_of_a_picture_at_once():
    shared = data([[0], [0], [0, 1], [2], [3]])
    for epoch in (1, 2):
        batches = epoch_batches(shared, 2, 0, epoch, "all")
        assert sorted(np.concatenate([b.images for b in batches])) == [0, 1, 2, 3]
        for batch in batches:
            own = {text for image in batch.images for text in shared.image_texts[image]}
            assert batch.texts.tolist() == sorted(own)
            positives = shared.positives(batch.images, batch.texts)
            assert positives.sum() == sum(len(shared.image_texts[image]) for image in batch.images)


def test_rejected_texts_come_into_their_pictures_batch_in_rotation_as_negatives():
    own = [[i] for i in range(8)]
    wrong = data([*own, [9], []], images=10, rejected=[(0, 3), (0, 9), (4, 9)])
    seen = set()
    for epoch in (1, 2):
        for batch in epoch_batches(wrong, 2, 5, epoch):
            assert len(set(batch.images)) == len(batch.images) and len(set(batch.texts)) == len(batch.texts)
            right = {text for image in batch.images for text in wrong.image_texts[image]}
            extra = set(batch.texts) - right
            assert extra <= {text for image in batch.images for text in wrong.wrong_texts.get(image, ())}
            if 4 in batch.images:
                assert 9 in batch.texts
                positives = wrong.positives(batch.images, batch.texts)
                row, column = batch.images.tolist().index(4), batch.texts.tolist().index(9)
                assert not positives[row, column]
            if 0 in batch.images:
                seen |= {text for text in batch.texts if text in (3, 9)}
    assert seen == {3, 9}
    (whole,) = epoch_batches(wrong, 50, 5, 1, "all")
    assert whole.texts.tolist() == list(range(10))


def test_a_rejected_picture_without_a_text_comes_with_the_text_it_was_rejected_for():
    wrong = data([[0], [1], [2], [3]], images=6, rejected=[(5, 2)])
    for epoch in (1, 2):
        for batch in epoch_batches(wrong, 2, 0, epoch):
            assert (5 in batch.images) == (2 in batch.texts)
            assert not wrong.positives(np.array([5]), batch.texts).any()


def test_what_is_right_and_rejected_is_right():
    both = data([[0], [1], [2]], texts=["西湖", "断桥", "西湖"], rejected=[(2, 0), (1, 0)])
    assert both.wrong_texts == {1: [0]} and not both.wrong_images
    with pytest.raises(InputError):
        data([[0], [1]], rejected=[(0, 5)])
    with pytest.raises(InputError):
        data([[0], [1]], rejected=[(-1, 0)])
    assert data([[0], [1]], rejected=[(0, 1)]).signature() != data([[0], [1]]).signature()


def test_a_memory_map_serves_as_pixels(tmp_path):
    mapped = np.lib.format.open_memmap(tmp_path / "p.npy", "w+", np.uint8, (4, 3, 2, 2))
    assert TrainingData(mapped, ["a", "b"], [[0], [3]]).paired_images.tolist() == [0, 3]
