"""`Writer`: a language model that says how probable texts are, and writes further ones."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_utils.batches import Batch, Example, make_batch
from course_utils.metrics import TextScore, perplexity
from course_utils.models.transformer import TransformerDecoder
from course_utils.runtime import evaluating
from course_utils.sampling import sample
from course_utils.search import greedy_search
from course_utils.tasks.base import Pair, Predictor
from course_utils.tasks.inference import MAX_REPEATS, in_batches
from course_utils.training import sequence_loss

__all__ = ["MOST", "Writer", "language_model_loss"]

MOST = 60  # pieces of a text that is written


def language_model_loss(model: nn.Module, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
    """The loss of a decoder without a memory: each next piece of the targets."""
    logits, _ = model(None, batch.target_in)
    return sequence_loss(logits, batch.target_out, label_smoothing)


class Writer(Predictor):
    """A language model and its vocabulary. `load` gets one from a checkpoint."""

    model_type = TransformerDecoder

    def log_probs(self, texts: Sequence[str], batch_size: int = 100) -> list[list[float]]:
        """The log probability (nats) of each piece of each text; the last one is that of the end.

        Raises TypeError for anything but a list of texts.
        """
        return self.log_probs_of(self.vocabulary.encode_all(texts), batch_size)

    @torch.no_grad()
    def log_probs_of(self, ids: Sequence[list[int]], batch_size: int = 100) -> list[list[float]]:
        """The same for texts that are ids already, without BOS and EOS."""
        device = next(self.model.parameters()).device

        def run(rows: list[list[int]]) -> list[list[float]]:
            batch = make_batch([Example([], row) for row in rows]).to(device)
            every = self.model(None, batch.target_in)[0].log_softmax(dim=-1)
            found = every.gather(2, batch.target_out[:, :, None])[:, :, 0].tolist()
            return [values[: len(row) + 1] for values, row in zip(found, rows, strict=True)]

        with evaluating(self.model):
            return in_batches(ids, batch_size, run)

    def measure(self, pairs: Sequence[Pair]) -> dict[str, TextScore]:
        """The perplexity of the texts, for each piece and for each space-separated word."""
        texts = [text for _, text in pairs]
        found = [value for values in self.log_probs(texts) for value in values]
        words = sum(len(text.split()) for text in texts)
        return {
            "perplexity": TextScore(perplexity(found), "of each piece and of the end"),
            "perplexity-word": TextScore(perplexity(found, words), "the same nats for each word"),
        }

    def write(
        self,
        beginnings: Sequence[str],
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
    ) -> list[str]:
        """A text for each beginning, which may be empty: the beginning and what is drawn after it.

        ``temperature``, ``top_k`` and ``top_p`` are those of `course_utils.sampling.narrowed`; a
        temperature of 0 takes the most probable piece each time. ``seed`` makes it repeatable. A
        text ends where the model ends it, or after `MOST` further pieces.

        Raises ValueError for settings out of range, TypeError for anything but a list of texts.
        """
        prompts = self.vocabulary.encode_all(beginnings)
        if not prompts:
            return []
        device = next(self.model.parameters()).device
        settings = {"prompts": prompts, "max_length": MOST, "max_repeats": MAX_REPEATS}
        with evaluating(self.model):
            if temperature == 0:
                found = greedy_search(self.model, **settings)
            else:
                generator = torch.Generator(device)
                generator.seed() if seed is None else generator.manual_seed(seed)
                narrow = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
                found = sample(self.model, **settings, **narrow, generator=generator)
        return [
            self.vocabulary.decode(prompt + hypothesis.tokens)
            for prompt, hypothesis in zip(prompts, found, strict=True)
        ]

    def predict(self, inputs: Sequence[str]) -> list[str]:
        """The most probable continuation of each beginning, piece by piece."""
        return self.write(inputs, temperature=0)
