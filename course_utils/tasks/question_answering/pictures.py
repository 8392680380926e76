"""The picture of visual question answering, drawn from its checkpoint."""

from matplotlib.axes import Axes

from course_utils.messages import _

NUMBER = 28  # of the relation that is shown, among those of the test: notebook 09 begins with it


def question_answering_picture(checkpoint: str) -> tuple[Axes, str]:
    """A scene, and where each hop looks for the answer to a question; axes and description."""
    from course_utils.datasets.generated.scene_questions import questions
    from course_utils.plotting import picture_attention
    from course_utils.tasks.question_answering.answerer import VisualAnswerer

    asked = [q for q in questions("test", 600, per_kind=200) if q.kind == "relation"][NUMBER]
    (answer,) = VisualAnswerer.load(checkpoint).answer([(asked.scene.image, asked.text)])
    masks = [asked.scene.mask(asked.reference), asked.scene.mask(asked.asked)]
    hops = [f"hop {number}" for number in range(1, len(answer.attention) + 1)]
    figure = picture_attention(asked.scene.image, answer.attention, hops, masks=masks, width=9.0)
    ax = figure.axes[0]
    ax.set_title(f"Question answering: {asked.text} {answer.text}", loc="left", fontsize=11, pad=24)
    text = _(
        "A scene, and where two hops look for '{question}': the first at the thing that is named,"
        " the second at the thing that is asked about. The answer is {answer}."
    )
    return ax, text.format(question=asked.text, answer=answer.text)


# The checkpoint that notebook 01 and the gallery use, and the function that draws its picture.
APPLICATION = ("question_answering-scenes", question_answering_picture)
FIGURES = {}
