"""A payment provider, played over HTTP: its API, its checkout page, its callbacks and mishaps."""
