"""Makes checkpoints: random ones for tests and trials, and the bundled demonstrations."""
