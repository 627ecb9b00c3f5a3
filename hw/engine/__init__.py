"""The engine: a whole network of the integer graph on generated hardware, and the compiler that programs it."""
