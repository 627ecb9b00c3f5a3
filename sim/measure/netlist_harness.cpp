#include "Vdriver.h"
#include "verilated_saif_c.h"
#include <cstdlib>

int main(int, char** arguments) {
    VerilatedContext context;
    context.traceEverOn(true);
    Vdriver top{&context};
    VerilatedSaifC trace;
    top.trace(&trace, 99);
    const auto cycle = [&](int reset) {
        top.rst = reset;
        top.clk = 0;
        top.eval();
        top.clk = 1;
        top.eval();
    };
    cycle(1);
    top.rst = 0;
    top.eval();
    trace.open(arguments[1]);
    trace.dump(0);
    const uint64_t cycles = std::strtoull(arguments[2], nullptr, 10);
    for (uint64_t time = 1; time <= cycles && !context.gotFinish(); ++time) {
        cycle(0);
        trace.dump(time);
    }
    trace.close();
    top.final();
}
