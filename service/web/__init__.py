"""What all pages and calls share: cursors, idempotency keys, the pages about problems."""
