"""Public data sets, one module each: its entry in the registry, `DATASET`, and its reader."""
