"""How fast a frozen AION-1 encodes, beside the official package in the same run."""
