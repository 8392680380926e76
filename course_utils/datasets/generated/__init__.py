"""Generated data sets, one module each; their right answers are known."""
