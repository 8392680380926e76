"""One picture of each application."""

import matplotlib.pyplot as plt
import pytest

from course_utils import gallery
from course_utils.gallery import APPLICATIONS, application_picture, application_pictures
from course_utils.paths import checkpoint_names


def test_a_picture_of_each_checkpoint_that_is_there():
    expected = [
        n for n, (checkpoint, _) in APPLICATIONS.items() if checkpoint in checkpoint_names()
    ]
    found = list(application_pictures())
    assert [name for name, _, _ in found] == expected and "classification" in expected
    for name, ax, alt in found:
        title = ax.get_title() + ax.get_title(loc="left")
        assert title.lower().startswith(name.replace("_", " ")) and len(alt) > 30
    plt.close("all")


def test_what_is_missing_is_left_out(monkeypatch):
    monkeypatch.setattr(gallery, "checkpoint_names", lambda: ["translation-multi30k"])
    drawn = {
        "translation": ("translation-multi30k", lambda c: (c, "alt")),
        "speech": ("nowhere", pytest.fail),
    }
    monkeypatch.setattr(gallery, "APPLICATIONS", drawn)
    assert list(application_pictures()) == [("translation", "translation-multi30k", "alt")]


def test_an_unknown_application():
    with pytest.raises(ValueError, match="unknown application 'cooking'.*translation"):
        application_picture("cooking")
