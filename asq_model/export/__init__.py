"""Trained networks as golden vectors, as integers only, and as ONNX."""
