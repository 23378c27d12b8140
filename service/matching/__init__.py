"""Pure rules that say what explains a movement of money, how surely, and why.

Nothing here reads a database or a clock: the caller brings money and the items it may pay, and
books what comes back. See `service.matching.rules.judge`.
"""
