"""The picture of speech recognition, drawn from its checkpoint."""

from matplotlib.axes import Axes

from course_utils.messages import _


def speech_picture(checkpoint: str) -> tuple[Axes, str]:
    """A telephone number as a spectrogram, and where attention listened; axes and description.

    The digits of a number cannot be guessed. For a word that can be guessed, attention may be
    anywhere (notebook 05).
    """
    from course_utils.datasets.generated.spoken_commands import spoken_commands
    from course_utils.plotting.audio import listening
    from course_utils.tasks.speech.recogniser import Recogniser

    recogniser = Recogniser.load(checkpoint)
    sounds = [sound for sound in spoken_commands("sample") if sound.text.startswith("call")]
    heard = recogniser.transcribe(sounds)
    right = [i for i, one in enumerate(heard) if one.text == sounds[i].text] or [0]
    (i,) = right[:1]
    figure = listening(heard[i].only, sounds[i].times)
    ax = figure.axes[0]
    ax.set_title(f"Speech: {heard[i].text}", loc="left")
    text = _(
        "The spectrogram of a synthetic voice saying '{words}', and below it, for each word that"
        " was written, where attention was: a staircase from the upper left to the lower right."
    )
    return ax, text.format(words=sounds[i].text)


# The checkpoint that notebook 01 and the gallery use, and the function that draws its picture.
APPLICATION = ("speech-commands", speech_picture)
FIGURES = {}
