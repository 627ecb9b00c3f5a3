"""ASQ's step size in hardware: channel sums, adapter, quantiser, rescale, and the block that they make together."""
