"""Dialogue: see `course_utils.tasks` for what each module of a task holds."""
