# The part of a simulator that is Verilator's own. To be read after the makefile that Verilator wrote for a design.
.PHONY: runtime
runtime: $(VK_GLOBAL_OBJS) runtime.h.gch

runtime.h.gch: runtime.h
	$(CXX) $(OPT_FAST) $(CXXFLAGS) $(CPPFLAGS) -x c++-header -o $@ $<
