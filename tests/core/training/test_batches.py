import numpy as np
import pytest

from core.errors import InputError
from core.training.batches import epoch_batches, steps_per_epoch
from core.training.data import TrainingData


def data(text_images, texts=None, images=10):
    texts = texts or [f"文{i}" for i in range(len(text_images))]
    return TrainingData(np.zeros((images, 3, 2, 2), np.uint8), texts, text_images)


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


def test_accumulation_is_clamped():
    assert steps_per_epoch(10, 4) == 3
    assert steps_per_epoch(2, 500) == 1


def test_a_memory_map_serves_as_pixels(tmp_path):
    mapped = np.lib.format.open_memmap(tmp_path / "p.npy", "w+", np.uint8, (4, 3, 2, 2))
    assert TrainingData(mapped, ["a", "b"], [[0], [3]]).paired_images.tolist() == [0, 3]
