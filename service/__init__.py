"""Joins fees, provider calls, bank lines and the ledger into one service."""
