"""Networks from and for other tools: QONNX, the format of Brevitas, FINN and hls4ml."""
