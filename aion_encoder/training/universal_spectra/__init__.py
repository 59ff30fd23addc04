"""Training the universal spectral tokenizer on simulated native spectra."""
