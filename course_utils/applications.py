"""One picture of each application of the course, from the checkpoints that come with it.

`application_pictures` draws those whose checkpoint is there. No public data is needed.
"""

from collections.abc import Callable, Iterator

from course_utils.checkpoints import checkpoint_names

__all__ = ["APPLICATIONS", "application_picture", "application_pictures"]


def translation_picture(checkpoint: str):
    """A German sentence, its translation, and which words each word came from."""
    from course_utils.plotting import attention_matrix
    from course_utils.translation import Translator

    sentence = "Zwei Kinder spielen im Park mit einem roten Ball."
    (translation,) = Translator.load(checkpoint).translate([sentence])
    segment = translation.only
    ax = attention_matrix(
        segment.attention,
        segment.source_pieces,
        segment.target_pieces,
        cell_values=False,
        title=f"Translation: {translation.text}",
    )
    return ax, f"Heat map: the German words {sentence!r} and the English words made of them."


def classification_picture(checkpoint: str):
    """A verdict on a film review of our own, its words as dark as their weight."""
    from course_utils.classification import Classifier
    from course_utils.highlighting import highlight

    text = (
        "The first half is slow. And yet the two leads are so wonderful together, and the music "
        "is so lovely, that I would watch it again tomorrow."
    )
    (verdict,) = Classifier.load(checkpoint).classify([text])
    ax = highlight(
        verdict.words,
        verdict.weights,
        title=f"Classification: {verdict.label}, {verdict.probability:.2f}",
    )
    heaviest = verdict.words[int(verdict.weights.argmax())]
    return ax, f"A film review; the darkest word is {heaviest!r}. The verdict is {verdict.label}."


def captioning_picture(checkpoint: str):
    """A photo that comes with a library, once for each word of its caption."""
    from course_utils.captioning import Captioner
    from course_utils.gallery import shipped_photo
    from course_utils.photos import photo_features
    from course_utils.plotting import picture_attention

    photo = shipped_photo("motorcycle")
    (caption,) = Captioner.load(checkpoint).caption(photo_features([photo]), beam=3)
    figure = picture_attention(photo, caption.word_attention, caption.words, width=7.5)
    ax = figure.axes[0]
    ax.set_title("Captioning", loc="left", fontsize=11)
    return ax, (
        f"A photo of a motorcycle, then once for each word of the caption {caption.text!r}; the "
        "places that the word looks at are bright."
    )


def speech_picture(checkpoint: str):
    """A telephone number as a spectrogram, and where attention listened for each word.

    (A word that can be guessed need not be listened to, see notebook 05; no digit here can.)
    """
    from course_utils.datasets.spoken_commands import spoken_commands
    from course_utils.sound_plots import listening
    from course_utils.transcription import Recogniser

    recogniser = Recogniser.load(checkpoint)
    sounds = [sound for sound in spoken_commands("sample") if sound.text.startswith("call")]
    heard = recogniser.transcribe(sounds)
    right = [i for i, one in enumerate(heard) if one.text == sounds[i].text] or [0]
    (i,) = right[:1]
    figure = listening(heard[i].only, sounds[i].times)
    ax = figure.axes[0]
    ax.set_title(f"Speech: {heard[i].text}", loc="left")
    return ax, (
        f"The spectrogram of a synthetic voice saying {sounds[i].text!r}, and below it, for each "
        "word that was written, where attention was: a staircase from the upper left to the lower "
        "right."
    )


# Application → (checkpoint, function that draws it and says in words what the picture shows).
APPLICATIONS: dict[str, tuple[str, Callable]] = {
    "translation": ("translation-multi30k", translation_picture),
    "captioning": ("captioning-flickr8k", captioning_picture),
    "speech": ("speech-commands", speech_picture),
    "classification": ("classification-imdb", classification_picture),
}


def application_picture(name: str):
    """Axes with the picture of one application, and a text that says what they show."""
    if name not in APPLICATIONS:
        raise ValueError(f"unknown application {name!r}; choose from {', '.join(APPLICATIONS)}")
    checkpoint, picture = APPLICATIONS[name]
    return picture(checkpoint)


def application_pictures() -> Iterator[tuple[str, object, str]]:
    """(application, axes, text that says what they show) for each checkpoint that is there."""
    there = checkpoint_names()
    for name, (checkpoint, _) in APPLICATIONS.items():
        if checkpoint in there:
            yield name, *application_picture(name)
