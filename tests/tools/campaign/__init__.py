"""A campaign of random inputs against the course: ``make campaign``.

    python -m tools.campaign                     # everything, some minutes on one core
    python -m tools.campaign search metrics      # probes whose name begins with one of these
    python -m tools.campaign --share 0.1         # a tenth of the inputs
    python -m tools.campaign --seed 1            # other inputs
    python -m tools.campaign --only search.beam:17   # one input again, with its traceback

(Run it in the folder ``tests``.) A *probe* draws an input, gives it to the course and judges the
result; it can be run on as many inputs as one likes. The input depends on the seed, the name of the
probe and a number alone. When a probe fails, its input is made smaller as long as it still fails in
the same way. A watchdog ends an input that takes longer than 20 seconds of processor time.

The modules, by what they try:

    functions.py    attention, masks, batches, recurrences, models, training
    searches.py     greedy and beam search, CTC
    scores.py       metrics, vocabulary, texts, claims, comparisons
    stores.py       checkpoints, resume files, files of studies, writing
    files.py        pictures, sounds, archives, mirrors
    tasks.py        predictors, their attention, trainings, studies, generated data
    commands.py     the command line, in this process and in processes of its own

The oracle: what counts as a failure
------------------------------------

*Right values.* Wherever a second way to the result exists, both have to agree:

- attention, with its gradient, and multi-head attention: PyTorch's own layers, or einsum in double
  precision; half precision stays finite where PyTorch does
- recurrences: packed sequences; losses: a loop over tokens; CTC: the sum over all alignments
- greedy and beam search: a plain search over lists, one input at a time, that drops nothing; for
  tiny vocabularies all sequences; a beam wide enough is at least as good as greedy search
- BLEU, chrF: sacrebleu; word errors: a table of edit distances; the other scores: loops
- vocabulary: decoding gives the text back; sound and pictures: what was written is read

*Nothing that must not matter matters.* An example alone gives what it gives in a batch; what stands
in the padding, and how much of it there is, changes nothing; step by step gives what the whole
gives; the size of blocks and batches, the order of examples and saving and loading change nothing;
an interrupted training reaches the weights of one that was not interrupted.

*Bad input.* The only exceptions are those that the docstring names, or ValueError and TypeError,
with a message; an answer that is given all the same has the documented shape and is never NaN.

*Commands.* No traceback. Status 0 only with one line out for each line or file in; otherwise at
least one line on standard error, each naming what is wrong, without control characters. Nothing
outside the target is changed or removed, and the target is whole or untouched.

*Cost.* An input raises the peak of memory by less than a gigabyte. An error that speaks of missing
memory is a failure: a limit was not checked first.
"""
