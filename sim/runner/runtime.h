// The headers of Verilator's runtime, precompiled once: they are most of the C++ that a small design is compiled from.
#include "verilated.h"
#include "verilated_vpi.h"
