"""The quantisers' functions on a CPU as compiled code, one pass over memory each; the results are the same bits."""
