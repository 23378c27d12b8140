"""How fast the service is, as ratios against a baseline that runs beside it; never in the tests."""
