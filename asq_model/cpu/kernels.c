/* The quantisers' functions, one pass over memory each, where torch has a pass for each operation.

   A row is what lies in memory for one entry of the first axis: a sample, or an output channel. Its step or scale is
   step[row * stride], with stride 0 where one is for all; a row has `size` values. `threads` share the rows.
   Every operation is the one that torch does, in its order, so that results are the same to the last bit; compile it
   without contraction of products and sums (-ffp-contract=off). */

#if defined(_OPENMP) && defined(__clang__)
#error "Clang's OpenMP would have threads of its own beside torch's"
#endif

#include <math.h>
#include <stdint.h>

/* One copy for eight values at once, one for any processor; the loader takes what the processor has. */
#if defined(__x86_64__) && defined(__linux__)
#define EVERY_PROCESSOR __attribute__((target_clones("avx2", "default")))
#else
#define EVERY_PROCESSOR
#endif

/* out = round(clamp(x / step, low, high)) * step; a NaN stays one. */
EVERY_PROCESSOR void quantise(const float *restrict x, const float *restrict step, int64_t stride, float *restrict out,
                              int64_t size, float low, float high, int64_t rows, int64_t threads) {
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const float s = step[row * stride];
        for (int64_t i = row * size; i < (row + 1) * size; i++) {
            const float v = x[i] / s;
            const float clamped = v < low ? low : v > high ? high : v;
            out[i] = rintf(clamped) * s;
        }
    }
}

/* The gradient of x, and each value's term of the gradient of the step, which the caller sums. */
EVERY_PROCESSOR void quantise_backward(const float *restrict x, const float *restrict step, int64_t stride,
                                       const float *restrict gradient, float *restrict x_gradient,
                                       float *restrict step_terms, int64_t size, float low, float high, int64_t rows,
                                       int64_t threads) {
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const float s = step[row * stride];
        for (int64_t i = row * size; i < (row + 1) * size; i++) {
            const float v = x[i] / s;
            const float clamped = v < low ? low : v > high ? high : v;
            const float inside = v == clamped ? 1.0f : 0.0f;
            x_gradient[i] = inside * gradient[i];
            step_terms[i] = (rintf(clamped) - clamped * inside) * gradient[i];
        }
    }
}

/* The index of the level nearest to u, ties to the larger magnitude. */
static inline int64_t nearest(float u, const float *midpoints, int64_t count) {
    int64_t index = 0;
    if (u < 0)
        for (int64_t m = 0; m < count; m++) index += midpoints[m] < u;
    else
        for (int64_t m = 0; m < count; m++) index += midpoints[m] <= u;
    return index;
}

/* out = scale * nearest level of w / scale; a weight that is not finite gives NaN. */
void level(const float *restrict w, const float *restrict scale, int64_t stride, const float *restrict levels,
           const float *restrict midpoints, int64_t count, float *restrict out, int64_t size, int64_t rows,
           int64_t threads) {
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const float alpha = scale[row * stride];
        for (int64_t i = row * size; i < (row + 1) * size; i++)
            out[i] = levels[nearest(w[i] / alpha, midpoints, count)] * alpha + w[i] * 0.0f;
    }
}

/* The gradient of w, and each weight's term of the gradient of the scale, which the caller sums. */
void level_backward(const float *restrict w, const float *restrict scale, int64_t stride, const float *restrict levels,
                    const float *restrict midpoints, int64_t count, const float *restrict gradient,
                    float *restrict w_gradient, float *restrict scale_terms, int64_t size, int64_t rows,
                    int64_t threads) {
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const float alpha = scale[row * stride];
        for (int64_t i = row * size; i < (row + 1) * size; i++) {
            const float u = w[i] / alpha;
            const float inside = fabsf(u) <= 1.0f ? 1.0f : 0.0f;
            const float sign = u > 0.0f ? 1.0f : u < 0.0f ? -1.0f : 0.0f;
            const float slope = inside == 1.0f ? levels[nearest(u, midpoints, count)] - u : sign;
            w_gradient[i] = gradient[i] * inside;
            scale_terms[i] = gradient[i] * slope;
        }
    }
}
