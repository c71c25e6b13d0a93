import numpy as np
import pytest

from core.errors import InputError, Stopped, StorageError
from core.progress import Silent
from core.training.batches import epoch_batches
from core.training.config import TrainConfig
from core.training.data import TrainingData
from core.training.loop import train
from core.training.pixels import decoded_once


class Pictures:
    """Counts what it decodes."""

    def __init__(self, world):
        self.world, self.decoded = world, []

    def __call__(self, row):
        self.decoded.append(row)
        return self.world.pixels[row]


@pytest.fixture
def pictures(world):
    return Pictures(world)


@pytest.mark.parametrize("in_memory", [0, 10**9])
def test_epochs_cost_no_decoding(tmp_path, new_model, world, pictures, in_memory):
    config = TrainConfig(epochs=3, batch_size=8, learning_rate=1e-3)
    with decoded_once(24, 16, pictures, file=tmp_path / "pixels.npy", in_memory=in_memory) as store:
        assert store.pixels.shape == (24, 3, 16, 16) and np.array_equal(store.pixels, world.pixels)
        assert (store.file is not None) == (in_memory == 0) == (tmp_path / "pixels.npy").is_file()
        data = TrainingData(store.pixels, world.texts, world.text_images)
        assert len(epoch_batches(data, 8, 0, 1)) == 3
        train(new_model(), data, config, tmp_path / "run")
        del data
    assert pictures.decoded == list(range(24))


def test_a_file_that_is_there_is_not_made_again(tmp_path, pictures, world):
    file = tmp_path / "cache" / "pixels.npy"
    decoded_once(24, 16, pictures, file=file, in_memory=0).close()
    store = decoded_once(24, 16, pictures, file=file, in_memory=0)
    assert len(pictures.decoded) == 24 and np.array_equal(store.pixels, world.pixels)
    assert np.array_equal(np.load(file), world.pixels)
    assert not store.pixels.flags.writeable
    store.close(remove=True)
    assert list(file.parent.iterdir()) == []


def test_closing_under_somebody_who_still_reads_does_no_harm(tmp_path, pictures, world):
    store = decoded_once(24, 16, pictures, file=tmp_path / "pixels.npy", in_memory=0)
    held = store.pixels
    store.close(remove=True)
    assert np.array_equal(held, world.pixels) and len(store.pixels) == 0


def test_what_was_interrupted_leaves_nothing(tmp_path, pictures):
    class Impatient(Silent):
        def should_stop(self):
            return len(pictures.decoded) == 5

    with pytest.raises(Stopped):
        decoded_once(24, 16, pictures, file=tmp_path / "pixels.npy", in_memory=0, progress=Impatient())
    assert len(pictures.decoded) == 5 and list(tmp_path.iterdir()) == []


def test_a_file_of_something_else_is_refused(tmp_path, pictures):
    file = tmp_path / "pixels.npy"
    for content in (np.zeros((3, 3, 16, 16), np.uint8), np.zeros((24, 3, 16, 16), np.float32)):
        np.save(file, content)
        with pytest.raises(InputError) as error:
            decoded_once(24, 16, pictures, file=file, in_memory=0)
        assert error.value.code == "pixels_misfit"
    file.write_bytes(b"no array")
    with pytest.raises(InputError):
        decoded_once(24, 16, pictures, file=file, in_memory=0)
    assert pictures.decoded == []


def test_a_folder_that_cannot_be_written(tmp_path, pictures):
    (tmp_path / "in the way").write_text("")
    with pytest.raises(StorageError):
        decoded_once(24, 16, pictures, file=tmp_path / "in the way" / "pixels.npy", in_memory=0)
