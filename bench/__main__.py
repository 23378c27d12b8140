"""`make bench`: print what this machine can do, as ratios against a baseline in the same run."""

import argparse
import sys

import uvloop

from bench import callbacks, flood, ledger_lines


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds (default 5)")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of one (default 20)")
    parser.add_argument("--only", choices=["", "callbacks", "ledger", "flood"], default="")
    parser.add_argument("--junk", type=int, default=1_000_000, help="junk calls of the flood")
    parser.add_argument("--junk-connections", type=int, default=32, help="over so many at once")
    parser.add_argument("--junk-rate", type=float, default=0, help="a second; 0: all it can")
    chosen = parser.parse_args()
    good = True
    if chosen.only in {"", "callbacks"}:
        good = uvloop.run(callbacks.run(chosen.rounds, chosen.seconds))
    if chosen.only in {"", "ledger"}:
        ledger_lines.measure(chosen.rounds)
    if chosen.only in {"", "flood"}:
        calm = flood.run(chosen.junk, chosen.junk_connections, chosen.junk_rate)
        good = uvloop.run(calm) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
