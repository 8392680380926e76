"""Language modelling: texts continued word by word, by a Transformer without an encoder."""
