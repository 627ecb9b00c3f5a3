"""Train many small networks side by side on one GPU, each update one CUDA graph."""
