"""Benchmarks of translation: training and decoding."""

from collections.abc import Callable

import torch

from course_utils.timing import Row, timed_in_turn

SENTENCES = [
    "Zwei junge Männer spielen Fußball auf einer Wiese.",
    "Eine Frau in einem roten Kleid liest ein Buch im Park.",
    "Ein brauner Hund läuft mit einem Stock im Maul durch den Schnee.",
    "Mehrere Leute warten vor einem Geschäft auf den Bus.",
]


def training_rows(batches: int = 8) -> list[Row]:
    """Target tokens per second of `train_step` on the generated corpus, for the three decoders."""
    from course_utils.models.builders import build_translator
    from course_utils.tasks.translation.recipes import GENERATED as recipe
    from course_utils.training import train_step

    data = recipe.data()
    stream = data.batches(recipe.batch_tokens).forever()
    chosen = [next(stream) for _ in range(batches)]
    tokens = sum(batch.target_tokens for batch in chosen)

    def epoch(decoder: str) -> Callable[[], None]:
        torch.manual_seed(0)
        model = build_translator(len(data.vocabulary), decoder=decoder, **recipe.model)
        optimizer = torch.optim.AdamW(model.parameters())

        def run() -> None:
            for batch in chosen:
                train_step(model, batch, optimizer, label_smoothing=0.1)

        return run

    names = ("attention", "bahdanau", "fixed_vector")
    seconds = timed_in_turn(*(epoch(name) for name in names), runs=3)
    return [
        Row(f"training, {name.replace('_', ' ')} decoder", f"{tokens / taken:,.0f} target tokens/s")
        for name, taken in zip(names, seconds, strict=True)
    ]


def decoding_rows(checkpoint: str = "translation-multi30k", sentences: int = 256) -> list[Row]:
    """Sentences per second of the shipped translator, greedy and with a beam of 5."""
    from course_utils.paths import checkpoint_names
    from course_utils.tasks.translation.translator import Translator

    if checkpoint not in checkpoint_names():
        return [Row("decoding", "not measured", f"no checkpoint {checkpoint}")]
    translator = Translator.load(checkpoint)
    texts = (SENTENCES * sentences)[:sentences]
    greedy, beam = timed_in_turn(
        lambda: translator.predict(texts), lambda: translator.predict(texts, beam=5), runs=3
    )
    return [
        Row(
            "decoding, greedy", f"{sentences / greedy:,.0f} sentences/s", f"checkpoint {checkpoint}"
        ),
        Row("decoding, beam 5", f"{sentences / beam:,.0f} sentences/s", f"checkpoint {checkpoint}"),
    ]


ROWS = (training_rows, decoding_rows)
