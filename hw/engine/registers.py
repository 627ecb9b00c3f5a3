"""The registers by which a host controls an engine and reads its counters: addresses, and what they mean."""

REGISTERS = {
    "control": 0x00,  # writable: bit 0 restarts the engine and clears all counters; bit 1 begins to load a network
    # bit 0: a program is damaged; bit 1: an image's last value was not where TLAST was; bit 2: what was loaded is
    # damaged; bit 3: the engine waits for the rest of what loads it
    "status": 0x04,
    "images_in": 0x08,
    "images_out": 0x0C,
    "cycles": 0x10,  # since the restart
    "cycles_of_image": 0x14,  # between the last results of the last two images; of the first one, since the restart
    "input_waits": 0x18,  # cycles in which a value was offered and not taken
    "output_waits": 0x1C,  # cycles in which a result was offered and not taken
    "load": 0x20,  # writable while the engine waits for it, whole: the next of `load_words`
    "instruction": 0x24,  # writable: bits 0 to 15 the number of an instruction, bit 16 set: of the values' program
    "instruction_cycles": 0x28,  # of that instruction, when it was done last, from its start
    "instruction_waits": 0x2C,  # cycles that it waited before its start
}
WRITABLE = ("control", "load", "instruction")
RESTART_BIT, LOAD_BIT = 0, 1  # of control
VALUES_BIT = 16  # of instruction
