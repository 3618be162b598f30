"""Time, measured: what a machine does, and what the layers of a real step take."""
