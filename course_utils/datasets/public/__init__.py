"""Public data sets, one module each, with a function of its name that reads it."""
