"""Bank statements: files kept sealed, held against themselves, and taken line by line, once."""
