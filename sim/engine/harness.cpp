// Sends images through an engine, and logs what it does: a line for each event, with the cycle after reset.
//
//   R cycle word       a result was taken
//   A cycle kind       an instruction of the arrays' program is done; B the same of the other program
//   V cycle word       a word of values is made, while an image of the sample is at work; C the same of codes
//   L cycle            the last number of an image went in
//   E cycle            the engine has stopped with an error; it is watched for some time more
//   X cycle            reset; what stands before counts no more
//   S cycle            the simulation ended: all results were taken, or the most cycles have passed
//
// Arguments: images, log, numbers of an image, results of an image, images of the sample, most cycles, and of 256 cycles
// those in which no number is offered, those in which no result is taken, the cycle of a reset (0: none).
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "Vengine.h"
#include "verilated.h"

constexpr int FINISH = 5;  // the kind of an image's last instruction
constexpr long AFTERWARDS = 100000;  // cycles to see that an engine that has stopped stays so

template <class T> void put(FILE* file, char what, long cycle, const T& word) {
  fprintf(file, "%c %ld %llx\n", what, cycle, static_cast<unsigned long long>(word));
}
template <std::size_t N> void put(FILE* file, char what, long cycle, const VlWide<N>& word) {
  fprintf(file, "%c %ld ", what, cycle);
  for (int part = N - 1; part >= 0; --part) fprintf(file, "%08x", word[part]);
  fprintf(file, "\n");
}
template <class T> bool is_valid(const T& word) { return word & 1; }
template <std::size_t N> bool is_valid(const VlWide<N>& word) { return word[0] & 1; }

// Whether something stalls in this cycle: a fixed sequence of pseudo-random bytes.
struct Stalls {
  unsigned of_256;
  uint32_t state;
  bool next() {
    state = state * 1664525u + 1013904223u;
    return (state >> 24) < of_256;
  }
};

[[noreturn]] void stop(const char* path) {
  perror(path);
  exit(2);
}

std::vector<uint32_t> read_numbers(const char* path) {
  FILE* file = fopen(path, "rb");
  if (!file) stop(path);
  fseek(file, 0, SEEK_END);
  std::vector<uint32_t> numbers(ftell(file) / sizeof(uint32_t));
  rewind(file);
  if (fread(numbers.data(), sizeof(uint32_t), numbers.size(), file) != numbers.size()) stop(path);
  fclose(file);
  return numbers;
}

int main(int count, char** words) {
  if (count != 10) return 2;
  const std::vector<uint32_t> numbers = read_numbers(words[1]);
  FILE* log = fopen(words[2], "w");
  if (!log) stop(words[2]);
  const size_t image_numbers = atol(words[3]), image_results = atol(words[4]);
  const long sample = atol(words[5]), reset_at = atol(words[9]);
  long most_cycles = atol(words[6]);
  Stalls in{static_cast<unsigned>(atoi(words[7])), 1}, out{static_cast<unsigned>(atoi(words[8])), 2};
  const size_t results = numbers.size() / image_numbers * image_results;

  Vengine engine;
  size_t sent = 0, taken = 0;
  long finished = 0, cycle = 0, first = 0;  // `first`: the first cycle after reset
  bool offered = false, stopped = false;
  engine.rst = 1;
  for (int level = 0; level < 2; ++level) engine.clk = level, engine.eval();
  for (; cycle < most_cycles && taken < results; ++cycle) {
    engine.clk = 0;
    engine.rst = reset_at && cycle == reset_at;
    offered = sent < numbers.size() && (offered || !in.next());  // what is offered once stays until it is taken
    engine.i___05Fvalid = offered;
    engine.i___05Fpayload = offered ? numbers[sent] : 0;
    engine.o___05Fready = !out.next();
    engine.eval();
    if (engine.rst) {
      fprintf(log, "X %ld\n", cycle - first);
      first = cycle + 1;
      sent = taken = finished = 0;
      offered = false;
    } else {
      if (engine.i___05Fvalid && engine.i___05Fready) {
        offered = false;
        if (++sent % image_numbers == 0) fprintf(log, "L %ld\n", cycle - first);
      }
      if (finished < sample && is_valid(engine.values)) put(log, 'V', cycle - first, engine.values);
      if (finished < sample && is_valid(engine.codes)) put(log, 'C', cycle - first, engine.codes);
      if (engine.o___05Fvalid && engine.o___05Fready) {
        put(log, 'R', cycle - first, engine.o___05Fpayload);
        if (++taken % image_results == 0) puts("image"), fflush(stdout);  // for a bar
      }
      if (is_valid(engine.array)) {
        fprintf(log, "A %ld %d\n", cycle - first, engine.array >> 1);
        finished += engine.array >> 1 == FINISH;
      }
      if (is_valid(engine.value)) fprintf(log, "B %ld %d\n", cycle - first, engine.value >> 1);
      if (engine.error && !stopped) {
        fprintf(log, "E %ld\n", cycle - first);
        stopped = true;
        if (most_cycles > cycle + AFTERWARDS) most_cycles = cycle + AFTERWARDS;
      }
    }
    engine.clk = 1;
    engine.eval();
  }
  fprintf(log, "S %ld\n", cycle - first);
  engine.final();
  if (ferror(log) || fclose(log)) stop(words[2]);
}
