"""The demo: a believable installation of two units in Huế, driven over real HTTP."""
