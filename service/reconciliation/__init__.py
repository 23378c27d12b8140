"""Reconciliation runs: what explains the money in suspense, and why the rest is unexplained."""
