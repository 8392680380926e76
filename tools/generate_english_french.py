"""Generate the English–French corpus that comes with the course, in about three seconds.

    python tools/generate_english_french.py                         # data/english_french again
    python tools/generate_english_french.py --seed 1 --out FOLDER   # another corpus

A test compares the pairs in data/english_french with those that the generator writes, so run this
after every change of the generator.
"""

import argparse
from pathlib import Path

from english_french.corpus import write_corpus

from course_utils.datasets.generated.english_french import FOLDER

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="another seed draws another corpus")
    parser.add_argument("--out", type=Path, help="folder of the files; needed for another seed")
    arguments = parser.parse_args()
    if arguments.seed and not arguments.out:
        parser.error("--seed needs --out: data/english_french is the corpus of seed 0")
    write_corpus(arguments.out or FOLDER, arguments.seed)
