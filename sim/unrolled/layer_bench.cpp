#include "Vbench.h"
int main() {
  VerilatedContext context;
  Vbench bench{&context};
  while (!context.gotFinish()) for (int level = 1; level >= 0; --level) { bench.clk = level; bench.eval(); }
}
