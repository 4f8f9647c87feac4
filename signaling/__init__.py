"""signaling: the only package browsers talk to."""
