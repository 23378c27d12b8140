"""Payment references and official codes: mint, check, canonicalise, and find them in bank memos.

Nothing here reads a clock, a database or the network; whether a well-formed code was really
issued is for the caller to look up.
"""
