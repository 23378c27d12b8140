"""Asking when nobody calls: silent payment requests, and bank feeds that have a list.

What a provider answers goes the same way as what it calls us with (service.intake).
"""
