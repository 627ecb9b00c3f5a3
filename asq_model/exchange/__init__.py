"""Networks from other tools: QONNX, the format of Brevitas, FINN and hls4ml."""
