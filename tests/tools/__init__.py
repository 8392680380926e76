"""Helpers of the tests: conventions of notebooks, their execution, hand-built code."""
