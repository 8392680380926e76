"""The picture of speech recognition, drawn from its checkpoint."""


def speech_picture(checkpoint: str):
    """A telephone number as a spectrogram, and where attention listened for each word.

    (A word that can be guessed need not be listened to, see notebook 05; no digit here can.)
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
    return ax, (
        f"The spectrogram of a synthetic voice saying {sounds[i].text!r}, and below it, for each "
        "word that was written, where attention was: a staircase from the upper left to the lower "
        "right."
    )


# The checkpoint that notebook 01 and the gallery show, and the function that draws with it.
APPLICATION = ("speech-commands", speech_picture)
FIGURES = {}
