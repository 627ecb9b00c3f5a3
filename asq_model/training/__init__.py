"""Train networks, evaluate them, and store and load what was trained."""
