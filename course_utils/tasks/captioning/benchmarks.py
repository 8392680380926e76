"""Benchmarks of captioning."""

from course_utils.timing import Row, timed_in_turn


def captioning_rows(checkpoint: str = "captioning-flickr8k", photos: int = 32) -> list[Row]:
    """Photos per second: features of random photos, and their captions with a beam of 3."""
    import numpy as np

    from course_utils.images import SIDE
    from course_utils.models.photo_features import photo_features
    from course_utils.paths import checkpoint_names
    from course_utils.tasks.captioning.captioner import Captioner

    pictures = np.random.default_rng(0).integers(0, 256, (photos, SIDE, SIDE, 3), dtype=np.uint8)
    (seconds,) = timed_in_turn(lambda: photo_features(list(pictures)), runs=3)
    rows = [Row("features of photos", f"{photos / seconds:,.0f} photos/s", "EfficientNet-lite0")]
    if checkpoint not in checkpoint_names():
        return [*rows, Row("captions", "not measured", f"no checkpoint {checkpoint}")]
    captioner, features = Captioner.load(checkpoint), photo_features(list(pictures))
    (seconds,) = timed_in_turn(lambda: captioner.predict(features, beam=3), runs=3)
    rate = f"{photos / seconds:,.0f} photos/s"
    return [*rows, Row("captions, beam 3", rate, f"checkpoint {checkpoint}")]


ROWS = (captioning_rows,)
