"""Evaluation mode that is always undone, files and folders written whole, progress bars."""

import os
import stat
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from course_utils.runtime import (
    default_device,
    evaluating,
    keep_freed_memory,
    progress_bar,
    recover_folder,
    replacing,
    replacing_folder,
    write_text,
)


def modes(model):
    return [module.training for module in model.modules()]


def test_evaluation_mode_is_undone_module_by_module():
    model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 4)))
    model.train()
    model[1].eval()
    before = modes(model)
    assert True in before and False in before
    with evaluating(model) as same:
        assert same is model and modes(model) == [False] * 5
    assert modes(model) == before


def test_evaluation_mode_is_undone_after_an_exception():
    model = nn.Dropout(0.5)
    with pytest.raises(KeyboardInterrupt), evaluating(model):
        raise KeyboardInterrupt
    assert model.training


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    file = tmp_path / "new" / "file.txt"
    write_text(file, "größer\nals\n")
    assert file.read_bytes() == "größer\nals\n".encode()
    with pytest.raises(OSError, match="full"), replacing(file) as partial:
        partial.write_text("half")
        assert file.read_bytes() == "größer\nals\n".encode()
        raise OSError("the disk is full")
    assert file.read_bytes() == "größer\nals\n".encode()
    assert [path.name for path in file.parent.iterdir()] == ["file.txt"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize(
    "umask,file_mode,folder_mode", [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700)]
)
def test_files_and_folders_get_the_usual_permissions(tmp_path, umask, file_mode, folder_mode):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "file", "x")
        with replacing_folder(tmp_path / "folder") as partial:
            write_text(partial / "file", "x")
        assert os.umask(umask) == umask  # left as it was
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == file_mode
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == folder_mode
    assert stat.S_IMODE((tmp_path / "folder" / "file").stat().st_mode) == file_mode


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "deep" / "folder"
    for content in ("old", "new"):
        with replacing_folder(folder) as partial:
            write_text(partial / f"{content}.txt", content)
    assert [path.name for path in folder.iterdir()] == ["new.txt"]  # nothing of the old one
    with pytest.raises(KeyboardInterrupt), replacing_folder(folder) as partial:
        write_text(partial / "half.txt", "half")
        raise KeyboardInterrupt
    assert [path.name for path in folder.iterdir()] == ["new.txt"]
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


def test_a_folder_is_recovered_after_a_kill_between_the_two_renames(tmp_path, monkeypatch):
    folder = tmp_path / "made [1]"  # characters that mean something in a pattern
    with replacing_folder(folder) as partial:
        write_text(partial / "file", "old")

    class Killed(BaseException):
        pass

    def die_at_the_second(old, new, replace=os.replace):
        if os.fspath(new) == os.fspath(folder):
            raise Killed
        replace(old, new)

    with monkeypatch.context() as patched:
        patched.setattr("course_utils.runtime.os.replace", die_at_the_second)
        with pytest.raises(Killed), replacing_folder(folder) as partial:
            write_text(partial / "file", "new")
    assert not folder.exists()
    recover_folder(folder)
    assert (folder / "file").read_text() == "old"
    recover_folder(folder)  # nothing is left to do
    recover_folder(tmp_path / "nothing")
    assert [path.name for path in tmp_path.iterdir()] == ["made [1]"]


def test_a_progress_bar_is_on_standard_error_or_silent(capfd):
    with progress_bar(3, "photo") as bar:
        bar.update(3)
    out, err = capfd.readouterr()
    assert out == "" and "3/3" in err and "photo" in err
    with progress_bar(3, "photo", show=False) as bar:
        bar.update(3)
    assert capfd.readouterr() == ("", "")


def test_the_device_is_the_gpu_if_there_is_one(monkeypatch):
    for there, name in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert default_device() == torch.device(name)


def test_memory_is_kept_only_by_glibc_and_unless_the_user_chose(monkeypatch):
    asked = []
    library = SimpleNamespace(mallopt=lambda option, size: asked.append((option, size)))
    monkeypatch.setattr("ctypes.CDLL", lambda name: library)
    for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    keep_freed_memory()
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.39"))
    with monkeypatch.context() as patch:
        patch.setenv("MALLOC_TRIM_THRESHOLD_", "131072")
        keep_freed_memory()
    assert asked == []
    keep_freed_memory()
    assert asked == [(-3, 2**30), (-1, 2**30)]
