"""Keeps balanced books: entries of debit-credit lines, balances, reversals, checkpoints, proof.

Takes the caller's connection and never commits; knows no provider and nothing above.
"""
