"""What only development, the demo and tests need; never imported by the service itself."""
