"""From a graph of integers to an engine's program, the contents of its memories, and its cycles."""
