"""Vocabulary: text ↔ pieces ↔ ids. The `tokenizers` library does the work.

Two kinds share one interface. `Vocabulary.words` has one piece for each space-separated word; it is
for generated data and for classification. `Vocabulary.bpe` learns subwords by byte-pair encoding
(Sennrich et al. 2016, section 3.2); it is for real text: frequent words are one piece, rare ones
several.

Both read texts through the same normalisation, `course_utils.text.normaliser`.

The first four ids are the same everywhere: PAD 0, BOS 1, EOS 2, UNK 3.
"""

import itertools
import json
import random
from collections.abc import Iterable
from pathlib import Path

from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    trainers,
)

from course_utils.checks import check_texts
from course_utils.runtime import write_text
from course_utils.text import normaliser

__all__ = ["BOS", "EOS", "PAD", "SPECIAL", "UNK", "Vocabulary"]

PAD, BOS, EOS, UNK = range(4)
SPECIAL = ["<pad>", "<bos>", "<eos>", "<unk>"]
WORD_START = "▁"  # marks the piece that begins a word in a BPE vocabulary


class Vocabulary:
    """Pieces of text and their ids. Make one with `words`, `bpe` or `load`."""

    def __init__(self, tokenizer: Tokenizer, kind: str):
        self.tokenizer, self.kind = tokenizer, kind

    @classmethod
    def words(
        cls,
        texts: Iterable[str],
        lowercase: bool = True,
        size: int | None = None,
        punctuation: bool = False,
    ) -> "Vocabulary":
        """Every space-separated word that occurs in ``texts`` is a piece.

        size         limits the number of pieces, special ones included, to the most frequent words;
                     at least 4
        punctuation  for real text, where marks are attached to words: True makes every mark a piece
                     of its own, except an apostrophe inside a word (don't)
        """
        _check_size(size)
        tokenizer = Tokenizer(models.WordLevel(unk_token=SPECIAL[UNK]))
        tokenizer.normalizer = normaliser(lowercase)
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        if punctuation:
            words_and_marks = r"[\p{L}\p{N}\p{M}]+(?:['’]\p{L}+)*|\S"
            tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
                [
                    pre_tokenizers.WhitespaceSplit(),
                    pre_tokenizers.Split(Regex(words_and_marks), "isolated"),
                ]
            )
        trainer = trainers.WordLevelTrainer(
            vocab_size=10**9 if size is None else size, special_tokens=SPECIAL, show_progress=False
        )
        # A text that contains the word "<pad>" must not give this piece a second id.
        words = (
            " ".join(w for w in t.split() if w.lower() not in SPECIAL)
            for t in check_texts("texts", texts)
        )
        tokenizer.train_from_iterator(words, trainer)
        return cls(tokenizer, "words")

    @classmethod
    def bpe(cls, texts: Iterable[str], size: int, lowercase: bool = True) -> "Vocabulary":
        """``size`` pieces learnt from ``texts``.

        Punctuation is never merged with letters, and every digit is a piece of its own, so that a
        number can be copied digit by digit.

        With fewer letters and merges in the texts there are fewer pieces, and never fewer than
        letters. Raises ValueError for a size below 4.
        """
        _check_size(size)
        tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL[UNK], fuse_unk=True))
        tokenizer.normalizer = normaliser(lowercase)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Metaspace(replacement=WORD_START, prepend_scheme="always"),
                pre_tokenizers.Split(Regex(r"[^\p{L}\p{N}\p{M}▁]"), "isolated"),
                pre_tokenizers.Digits(individual_digits=True),
            ]
        )
        tokenizer.decoder = decoders.Metaspace(replacement=WORD_START, prepend_scheme="always")
        trainer = trainers.BpeTrainer(
            vocab_size=size, special_tokens=SPECIAL, show_progress=False, min_frequency=2
        )
        tokenizer.train_from_iterator(check_texts("texts", texts), trainer)
        return cls(tokenizer, "bpe")

    def __len__(self) -> int:
        return self.tokenizer.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """Ids of the pieces of ``text``, without BOS and EOS. An empty text gives an empty list.

        A special piece that occurs in the text itself ("<eos>") is an unknown word, not an end.
        """
        return [max(i, UNK) for i in self.tokenizer.encode(text).ids]

    def encode_all(self, texts: Iterable[str]) -> list[list[int]]:
        """`encode` for many texts at once, several times faster."""
        encodings = self.tokenizer.encode_batch(check_texts("texts", texts))
        return [[max(i, UNK) for i in encoding.ids] for encoding in encodings]

    def sample_all(self, texts: Iterable[str], dropout: float, seed: int = 0) -> list[list[int]]:
        """Ids as from `encode_all`, with words cut at random: BPE-dropout (Provilkov et al. 2020).

        At each step, every merge that is possible is left out with probability ``dropout``, and the
        first of the others is made, until none is left (algorithm 1). With 0 the ids are those of
        `encode_all`; with 1 every letter is a piece. A text that contains a special piece is cut
        as always.

        Raises ValueError for a dropout outside 0 to 1, and for a vocabulary of words.
        """
        if self.kind != "bpe":
            raise ValueError("a vocabulary of words has no merges that could be left out")
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout is a probability from 0 to 1, got {dropout}")
        merges = json.loads(self.tokenizer.to_str())["model"]["merges"]
        ranks = {tuple(pair): rank for rank, pair in enumerate(merges)}
        chance = random.Random(seed)
        found = []
        for text in check_texts("texts", texts):
            if any(special in text for special in SPECIAL):
                found.append(self.encode(text))
                continue
            normal = self.tokenizer.normalizer.normalize_str(text)
            ids: list[int] = []
            for word, _ in self.tokenizer.pre_tokenizer.pre_tokenize_str(normal):
                numbers = map(self.tokenizer.token_to_id, _merged(word, ranks, dropout, chance))
                known = [UNK if number is None else number for number in numbers]
                # As the tokenizer does: one unknown piece for several letters in a row.
                ids += [i for k, i in enumerate(known) if i != UNK or known[k - 1 : k] != [UNK]]
            found.append(ids)
        return found

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where in ``text`` each piece of `encode` is: (first character, one past the last).

        If one character became several pieces ("…" is read as three full stops), the first of them
        has it and the others are empty.
        """
        spans, last = [], 0
        for start, end in self.tokenizer.encode(text).offsets:
            spans.append((max(start, last), max(end, last)))
            last = spans[-1][1]
        return spans

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ids; PAD, BOS and EOS are left out, an unknown piece appears as <unk>."""
        kept = [int(i) for i in ids if int(i) not in (PAD, BOS, EOS)]
        return self.tokenizer.decode(kept, skip_special_tokens=False)

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """The pieces of ids, special ones included: the labels of an attention matrix.

        Raises ValueError for an id outside the vocabulary.
        """
        found = []
        for i in map(int, ids):
            piece = self.tokenizer.id_to_token(i) if i >= 0 else None
            if piece is None:
                raise ValueError(f"the vocabulary has {len(self)} pieces, so none has the id {i}")
            found.append(piece)
        return found

    def words_of_pieces(self, ids: Iterable[int]) -> list[int]:
        """For each piece, the index of the word that it belongs to: [0, 0, 1, …].

        In a word vocabulary, every piece is a word. In a BPE vocabulary, a word starts at a piece
        with the mark "▁" and at every punctuation mark.
        """
        ids = list(ids)
        if self.kind == "words":
            return list(range(len(ids)))
        words: list[int] = []
        current, previous = -1, ""
        for piece in self.pieces(ids):
            starts = piece.startswith(WORD_START) or _is_punctuation(piece)
            starts = starts or _is_punctuation(previous) or not words
            if starts and previous != WORD_START:  # a mark on its own belongs to the next piece
                current += 1
            words.append(current)
            previous = piece
        return words

    def save(self, path: Path) -> None:
        """Write the vocabulary as one JSON file."""
        content = {"kind": self.kind, "tokenizer": json.loads(self.tokenizer.to_str())}
        write_text(path, json.dumps(content, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read what `save` wrote. Raises ValueError, naming the file, if it is damaged."""
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            tokenizer = Tokenizer.from_str(json.dumps(content["tokenizer"]))
            ids = tokenizer.get_vocab()
            if content["kind"] not in ("words", "bpe"):
                raise ValueError(f"its kind is {content['kind']!r}, neither 'words' nor 'bpe'")
            if [ids.get(piece) for piece in SPECIAL] != list(range(len(SPECIAL))):
                raise ValueError(f"its first pieces are not {', '.join(SPECIAL)}")
            if sorted(ids.values()) != list(range(len(ids))):
                raise ValueError(f"its {len(ids)} pieces do not have the ids from 0 on")
            return cls(tokenizer, content["kind"])
        except FileNotFoundError:
            raise
        except Exception as error:  # tokenizers raises plain Exception
            raise ValueError(
                f"{path} is not a vocabulary of this course, or it is damaged: {error}"
            ) from error


def _merged(
    word: str, ranks: dict[tuple[str, ...], int], dropout: float, chance: random.Random
) -> list[str]:
    """The pieces of a word after merges, each of which is left out with probability ``dropout``."""
    pieces = list(word)
    while True:
        possible = [
            (ranks[pair], place)
            for place, pair in enumerate(itertools.pairwise(pieces))
            if pair in ranks and not (dropout and chance.random() < dropout)
        ]
        if not possible:
            return pieces
        _, place = min(possible)
        pieces[place : place + 2] = [pieces[place] + pieces[place + 1]]


def _check_size(size: int | None) -> None:
    if size is not None and size < len(SPECIAL):
        raise ValueError(
            f"a vocabulary has at least the {len(SPECIAL)} special pieces, got size={size}"
        )


def _is_punctuation(piece: str) -> bool:
    return len(piece) == 1 and piece != WORD_START and not piece.isalnum()
