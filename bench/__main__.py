"""`make bench`: print what this machine can do, as ratios against a baseline in the same run."""

import argparse
import sys

import uvloop

from bench import callbacks, ledger_lines


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds (default 5)")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of one (default 20)")
    parser.add_argument("--only", choices=["", "callbacks", "ledger"], default="")
    chosen = parser.parse_args()
    good = True
    if chosen.only in {"", "callbacks"}:
        good = uvloop.run(callbacks.run(chosen.rounds, chosen.seconds))
    if chosen.only in {"", "ledger"}:
        ledger_lines.measure(chosen.rounds)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
