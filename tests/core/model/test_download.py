"""Weights over a real HTTP server: redirected, broken off, gone on with, checked."""

import importlib.util
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from core.errors import ConflictError, ModelError, Stopped, StorageError
from core.model.download import download_weights
from core.model.hubs import HUBS
from core.model.loading import load_model
from core.progress import Silent

FILE = "clip_cn_vit-b-16.pt"


def beside():
    """The server's module, which stands beside this one; tests are imported without a package."""
    spec = importlib.util.spec_from_file_location("hub_server", Path(__file__).with_name("hub_server.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with beside().Hub(bytes(range(256)) * 8192) as server:  # 2 MiB
        yield server


@pytest.fixture
def fetch(tmp_path, hub):
    def run(**options):
        given = {"endpoint": hub.url, "waits": (0.0, 0.0, 0.0)} | options
        return download_weights("ViT-B-16", tmp_path / "weights", **given)

    return run


@pytest.fixture
def refused(fetch):
    def run(kind=ModelError, **options):
        with pytest.raises(kind) as error:
            fetch(**options)
        return error.value

    return run


def left(folder):
    return sorted(path.name for path in (folder / "weights").iterdir() if not path.name.endswith(".lock"))


@pytest.mark.parametrize("source", HUBS)
def test_a_file_comes_whole_through_redirects_with_its_checksum(fetch, hub, tmp_path, source):
    seen = []
    watcher = Silent()
    watcher.report = lambda done, total, message="", **details: seen.append((done, total, message, details))
    got = fetch(source=source, progress=watcher)
    assert (got.path, got.size, got.fetched, got.sha256) == (
        tmp_path / "weights" / FILE,
        hub.size,
        True,
        hub.sha256,
    )
    assert got.path.read_bytes() == hub.content and left(tmp_path) == [FILE]
    assert seen[-1] == (3, 3, "progress.download", {"file": FILE})  # megabytes, begun ones counted
    assert [row[0] for row in seen] == sorted(row[0] for row in seen)


def test_what_is_there_is_not_asked_for(fetch, hub):
    path = fetch().path
    path.write_bytes(b"the person's own")
    hub.asked.clear()
    again = fetch()
    assert (again.fetched, again.size, hub.asked) == (False, 16, [])


def test_a_connection_that_breaks_is_gone_on_with_from_the_byte_it_broke_at(fetch, hub):
    hub.break_after = [700_000, 0, 300_000]
    assert fetch().path.read_bytes() == hub.content
    assert hub.ranges_asked == [None, "bytes=700000-", "bytes=700000-", "bytes=1000000-"]


def test_a_length_that_was_never_told_and_an_early_end(fetch, hub):
    hub.chunked, hub.break_after = True, [700_000]
    assert fetch().path.read_bytes() == hub.content


def test_after_many_breaks_it_gives_up_keeps_what_came_and_the_next_run_goes_on(refused, fetch, hub, tmp_path):
    hub.break_after = [1_500_000, 0, 0, 0, 0]
    error = refused()
    assert (error.code, error.details["kept"]) == ("download_broken", 2)
    assert left(tmp_path) == [f"{FILE}.{hub.sha256[:12]}.partial"]
    hub.asked.clear(), hub.break_after.clear()
    assert fetch(source="modelscope").path.read_bytes() == hub.content  # the same file on the other hub
    assert hub.ranges_asked == ["bytes=1500000-"]
    assert left(tmp_path) == [FILE]


def test_a_server_without_ranges_sends_all_of_it_again(fetch, hub):
    hub.ranges, hub.break_after = False, [700_000]
    assert fetch().path.read_bytes() == hub.content
    assert hub.ranges_asked == [None, "bytes=700000-"]


def test_a_partial_file_of_another_version_is_not_gone_on_with(refused, fetch, hub, tmp_path):
    hub.break_after = [700_000, 0, 0, 0]
    assert refused().code == "download_broken"
    newer = beside().Hub(hub.content[::-1])
    with newer:
        got = fetch(endpoint=newer.url)
    assert got.path.read_bytes() == newer.content and newer.ranges_asked == [None]
    assert left(tmp_path) == [FILE]


def test_a_lie_about_the_checksum_is_found_and_nothing_is_put_to_use(refused, hub, tmp_path):
    hub.sha256 = "0" * 64
    error = refused()
    assert (error.code, error.details) == ("download_damaged", {"source": "Hugging Face", "file": FILE})
    assert left(tmp_path) == []


def test_a_partial_file_that_went_bad_on_disk_is_found(refused, hub, tmp_path):
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / f"{FILE}.{hub.sha256[:12]}.partial").write_bytes(b"\0" * 5000)
    assert refused().code == "download_damaged"
    assert hub.ranges_asked == ["bytes=5000-"] and left(tmp_path) == []


@pytest.mark.parametrize("size", [1_000_000, 3_000_000])
def test_a_lie_about_the_size_is_found(refused, hub, tmp_path, size):
    hub.size = size
    assert refused().code == "download_damaged"
    assert left(tmp_path) == []


def test_without_a_checksum_the_file_is_opened_and_read(refused, hub, tmp_path):
    hub.sha256 = ""
    assert refused().code == "download_damaged" and left(tmp_path) == []


def test_without_a_checksum_a_checkpoint_is_taken_and_a_stale_part_is_not(fetch, tmp_path, state):
    torch.save({"state_dict": state}, tmp_path / "real.pt")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / f"{FILE}.partial").write_bytes(b"stale")
    with beside().Hub((tmp_path / "real.pt").read_bytes()) as server:
        server.sha256 = ""
        got = fetch(endpoint=server.url)
    assert (got.fetched, got.sha256) == (True, "") and got.path.read_bytes() == server.content


def test_a_busy_server_is_asked_again_and_a_refusal_is_not(fetch, refused, hub):
    hub.statuses = [503, 429, 403]
    error = refused()
    assert (error.code, error.details["status"]) == ("download_refused", 403)
    assert len(hub.ranges_asked) == 3
    assert fetch().fetched


def test_a_name_a_source_or_a_file_that_is_not_there(refused, hub, tmp_path):
    for model, code in (("mini", "download_unknown"), ("ViT-Z", "download_unknown"), ("RN50", "download_refused")):
        with pytest.raises(ModelError) as error:
            download_weights(model, tmp_path, "modelscope", endpoint=hub.url, waits=())
        assert error.value.code == code
    assert refused(source="elsewhere").code == "download_source"


def test_offline_the_sentence_names_the_file_the_folder_and_the_other_hub(tmp_path):
    with pytest.raises(ModelError) as error:
        download_weights("ViT-B-16", tmp_path, endpoint="http://127.0.0.1:9", waits=())
    details = error.value.details
    assert error.value.code == "download_unreachable"
    assert (details["file"], details["folder"], details["other"]) == (FILE, str(tmp_path), "modelscope")


@pytest.mark.parametrize("proxy", ["socks9://nowhere", "http://127.0.0.1:9"])
def test_a_proxy_that_cannot_be_used_is_no_crash(tmp_path, monkeypatch, proxy):
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ModelError) as error:
        download_weights("ViT-B-16", tmp_path, endpoint="http://hub.invalid", waits=())
    assert error.value.code == "download_unreachable"


def test_a_mirror_named_in_the_environment_is_asked(fetch, hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", hub.url + "/")
    assert fetch(endpoint="").path.read_bytes() == hub.content


def test_asked_to_stop_it_keeps_what_came(fetch, refused, hub, tmp_path):
    class Impatient(Silent):
        mb = 0

        def report(self, done, total, message="", **details):
            self.mb = done

        def should_stop(self):
            return self.mb >= 1

    refused(Stopped, progress=Impatient())
    (part,) = left(tmp_path)
    have = (tmp_path / "weights" / part).stat().st_size
    assert 0 < have < hub.size
    hub.asked.clear()
    assert fetch().path.read_bytes() == hub.content
    assert hub.ranges_asked == [f"bytes={have}-"]


def test_no_room_on_the_disk_is_said_before_anything_comes(refused, hub, tmp_path):
    hub.size = 10**18
    error = refused(StorageError)
    assert error.code == "download_space" and error.details["needed"] == 10**12
    assert hub.ranges_asked == [] and left(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_disk_that_fills_up_on_the_way(refused, hub, tmp_path):
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / f"{FILE}.{hub.sha256[:12]}.partial").symlink_to("/dev/full")
    error = refused(StorageError)
    assert (error.code, error.details["folder"]) == ("download_disk", str(folder))
    assert "No space left" in error.details["reason"]


def test_a_folder_that_cannot_be_made(refused, tmp_path):
    (tmp_path / "weights").write_text("a file")
    assert refused(StorageError).code == "download_disk"


def test_two_at_once_fetch_once(refused, hub, tmp_path):
    (tmp_path / "weights").mkdir()
    with FileLock(tmp_path / "weights" / f".{FILE}.lock"):
        assert refused(ConflictError).code == "download_running"
    assert hub.asked == []


def test_the_hubs_and_names_are_those_of_cn_clip():
    from cn_clip.clip import utils

    from core.model.spec import RELEASED

    assert HUBS["huggingface"].organisation == utils._HUGGINGFACE_ORG
    assert HUBS["modelscope"].organisation == utils._MODELSCOPE_ORG
    assert {name: (r.repository, r.file) for name, r in RELEASED.items()} == utils._MODELS


def test_loading_asks_no_hub(hub, tmp_path, monkeypatch):
    """What is missing is said, and nobody's network is used unasked."""
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    with pytest.raises(ModelError) as error:
        load_model("ViT-B-16", tmp_path)
    assert (error.value.code, hub.asked) == ("weights_absent", [])
