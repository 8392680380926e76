"""The gallery: photos that ship with libraries, figures written in one step."""

import numpy as np
import pytest
from PIL import Image

from course_utils import gallery
from course_utils.__main__ import main
from course_utils.datasets import library_photos
from course_utils.plotting import new_figure
from course_utils.plotting.style import plt


@pytest.mark.parametrize("name", list(library_photos.PHOTOS))
def test_photos_come_with_the_libraries(name):
    photo = library_photos.shipped_photo(name)
    assert photo.shape == (224, 224, 3) and photo.dtype == np.uint8 and photo.std() > 20


def test_an_unknown_photo():
    with pytest.raises(ValueError, match="unknown photo 'dog'.*cat"):
        library_photos.shipped_photo("dog")


def test_figures_are_written_whole_or_not_at_all(tmp_path, monkeypatch, capsys):
    def drawn(value):
        fig, ax = new_figure(3, 2)
        ax.plot([0, value], [0, 1])
        return fig

    def broken():
        raise OSError("the disk is full")

    monkeypatch.setattr(gallery, "FIGURES", {"one": lambda: drawn(1), "two": lambda: drawn(2)})
    assert main(["gallery", "--out", str(tmp_path / "new")]) == 0
    assert capsys.readouterr().out.split() == [
        str(tmp_path / "new" / f"{x}.png") for x in ("one", "two")
    ]
    before = (tmp_path / "new" / "one.png").read_bytes()
    assert np.asarray(Image.open(tmp_path / "new" / "one.png")).std() > 1
    gallery.draw_gallery(tmp_path / "new")
    assert (tmp_path / "new" / "one.png").read_bytes() == before, "the same figure, the same bytes"
    monkeypatch.setattr(gallery, "FIGURES", {"three": broken})
    assert main(["gallery", "--out", str(tmp_path / "new")]) == 1
    assert capsys.readouterr().err == "the disk is full\n"
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["one.png", "two.png"]
    plt.close("all")
