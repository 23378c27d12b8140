"""The only room that allocates money and chooses entries (the outcome table of DESIGN)."""
