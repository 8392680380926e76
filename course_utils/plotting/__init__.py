"""Plots of the course: one style, heat maps, charts, and attention over pictures.

What several notebooks use is offered here; sounds (`audio`), highlighted texts (`texts`) and
drawings of ideas (`diagrams`) are imported from their own modules.
"""

from course_utils.plotting.charts import bars, score_by_length, training_curves
from course_utils.plotting.matrices import attention_matrix
from course_utils.plotting.pictures import picture_attention
from course_utils.plotting.style import COLOURS, WEIGHTS, new_figure, show, use_course_style

__all__ = [
    "COLOURS",
    "WEIGHTS",
    "attention_matrix",
    "bars",
    "new_figure",
    "picture_attention",
    "score_by_length",
    "show",
    "training_curves",
    "use_course_style",
]
