"""cocotb test modules. They run inside the simulator's Python, configured by the job file that `ASQ_JOB` names."""
