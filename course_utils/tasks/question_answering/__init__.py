"""Visual question answering: a picture and a question → an answer. Taught in notebook 09."""
