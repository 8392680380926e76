"""The picture of dialogue, drawn from its checkpoint."""

from matplotlib.axes import Axes

from course_utils.messages import _

LINES = (
    "Anna is in Vienna.",
    "In Vienna there is a hotel, the Palace.",
    "Ben flew to Oslo.",
    "In Oslo there is a hotel, the Bristol.",
    "A table for four, please.",
)
QUESTION = "Which hotel does Anna sleep in?"


def dialogue_picture(checkpoint: str) -> tuple[Axes, str]:
    """What each hop looks at while the chat answers a question; axes and description."""
    from course_utils.plotting import attention_matrix
    from course_utils.tasks.dialogue.answerer import Answerer, Conversation

    chat = Conversation(Answerer.load(checkpoint))
    for line in LINES:
        chat.say(line)
    reply = chat.say(QUESTION)
    said = [place for place, text in enumerate(reply.history) if text.startswith("<user>")]
    ax = attention_matrix(
        reply.weights[:, said].T,
        [f"hop {number}" for number in range(1, len(reply.weights) + 1)],
        [reply.history[place].removeprefix("<user> ") for place in said],
        title=f"Dialogue: {QUESTION} {reply.text}",
    )
    text = _(
        "What was said, and how much each of the {hops} looks gives to it. The answer is {answer}."
    )
    return ax, text.format(hops=len(reply.weights), answer=f"'{reply.text}'")


# The checkpoint that notebook 01 and the gallery use, and the function that draws its picture.
APPLICATION = ("dialogue-chat", dialogue_picture)
FIGURES = {}
