"""Fees owed on dossiers: recorded, added to, exempted, cancelled, asked for, taken at the counter.

Amounts are computed by the one-stop system; this room stores them and never works out a rate.
"""
