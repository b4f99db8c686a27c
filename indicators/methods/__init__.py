"""One file a method: a causal function from series to conditions; indicators/method.py says its shape."""
