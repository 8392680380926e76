"""Generated data sets, whose right answers and right alignments are known, one module each."""
