"""``python -m tools.campaign``: see the package."""

import argparse
import json
import os
import sys
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "TOKENIZERS_PARALLELISM": "false"}

from tools.campaign import probes
from tools.campaign.core import campaign, run_one


def main() -> int:
    """Run what the arguments name; 1 if an input failed."""
    parser = argparse.ArgumentParser(prog="python -m tools.campaign", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="PROBE", help="beginnings of names of probes")
    parser.add_argument("--share", type=float, default=1.0, help="share of the inputs (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="of all inputs (default: 0)")
    parser.add_argument("--only", metavar="PROBE:NUMBER", help="one input again")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the summary, as JSON")
    parser.add_argument("--list", action="store_true", help="the probes and their inputs")
    arguments = parser.parse_args()
    every = probes.load()
    probes.refuse_network()
    if arguments.list:
        for found in every.values():
            print(f"{found.name:28} {found.count:6,}")
        return 0
    if arguments.only:
        name, _, number = arguments.only.rpartition(":")
        failure = run_one(name, int(number), arguments.seed, shrink=False)
        print("no failure" if failure is None else json.dumps(vars(failure), indent=1))
        return failure is not None
    chosen = [
        name for name in every if not arguments.names or name.startswith(tuple(arguments.names))
    ]
    return bool(campaign(chosen, arguments.share, arguments.seed, arguments.out)["failures"])


if __name__ == "__main__":
    sys.exit(main())
