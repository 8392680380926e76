"""Print the exercise cells of a notebook in jupytext's percent format: `… exercises 03`."""

import sys

from course_utils.exercises import get, numbers

if len(sys.argv) != 2 or not numbers(sys.argv[1]):
    sys.exit(f"usage: python -m course_utils.exercises NOTEBOOK ({', '.join(numbers())} exist)")
for number in numbers(sys.argv[1]):
    one = get(number)
    print('# %% [markdown] slideshow={"slide_type": "skip"}')
    print("\n".join(f"# {line}".rstrip() for line in one.statement.splitlines()))
    print(f'\n# %% tags=["exercise:{number}"] slideshow={{"slide_type": "skip"}}')
    print(one.cell_source, end="\n\n")
