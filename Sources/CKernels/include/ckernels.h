// The inner loops that gain more than 1.3 times from wider vectors than a baseline x86-64 build of
// Swift may use, by `groundwell-generator bench kernels --compare-swift`. Each function is compiled
// for AVX-512, AVX2 and the baseline, and runs at the level of the machine. None of them allocates
// or starts threads; the Swift side in `Kernels/` owns the memory, splits the work and checks every
// size. All floats are 32-bit; `long` counts elements.
//
// Axis letters: P pixels or tiles, C channels, K depth of a product. Pixels are channels-last.
#ifndef CKERNELS_H
#define CKERNELS_H

// Machine levels. GW_BASELINE is what the compiler assumes of any x86-64, or arm64 with NEON.
enum { GW_BASELINE = 0, GW_AVX2 = 1, GW_AVX512 = 2 };
// The level in use: the best that this machine has and `gw_limit_level` allows.
int gw_level(void);
// Allows no level above `most`, for tests and benchmarks of the others; returns the level in use.
int gw_limit_level(int most);

// How a weight is stored.
enum { GW_FLOAT32 = 0, GW_FLOAT16 = 1, GW_BFLOAT16 = 2 };

// out[i] = the float of values[first + i].
void gw_widen(const void *values, int kind, long first, long count, float *out);

// c[r, 0..<width] (+)= a[r, 0..<depth] * b[0..<depth, 0..<width] for `rows` rows.
// `a` has row stride lda, `c` ldc; `b` is a packed panel of `width` (16 or 32) columns.
void gw_panel_product(const float *a, long lda, const float *b, float *c, long ldc, long rows,
                      long depth, int width, int accumulate);

// Winograd F(4x4, 3x3), Lavin and Gray 2016, with the points 0, +-1/sqrt 2, +-sqrt 2, infinity.
// v[36][stride] receives tile t of [first, last) at t * channels, relative to `first`.
void gw_winograd_input(const float *image, long height, long width, long channels, long tilesY,
                       long tilesX, long first, long last, long origin, float *v, long stride);
// Adds the bias and writes outputs [output, output + panel) of tiles [first, last).
void gw_winograd_output(const float *m, long stride, int panel, const float *bias, float *image,
                        long height, long width, long outputs, long output, long tilesY,
                        long tilesX, long first, long last);

// One block of keys of a streaming softmax over score rows [rows, ld]: scales, updates the running
// maximum and sum, replaces scores by exp(score - maximum) and rescales out [rows, ldo].
// When `causal` is not 0, row r sees the first keysOfFirstRow + r keys only (none when negative).
void gw_softmax_block(float *scores, long ld, long rows, long keys, int causal,
                      long keysOfFirstRow, float scale, float *maximum, float *sum, float *out,
                      long ldo, long depth);

// Per channel: sums of (x - pivot) and (x - pivot)^2 over `pixels` pixels.
void gw_channel_sums(const float *x, long pixels, long channels, const float *pivot, float *sum,
                     float *squares);
// y = x * scale[c] + shift[c], then SiLU when `silu` is not 0.
void gw_scale_shift(const float *x, long pixels, long channels, const float *scale,
                    const float *shift, int silu, float *y);
// Layer norm of each row, eps inside the root.
void gw_layer_norm(const float *x, long rows, long channels, const float *weight,
                   const float *bias, float eps, float *y);

enum { GW_SILU = 0, GW_QUICK_GELU = 1, GW_GELU = 2, GW_RELU = 3 };
// y = activation(x).
void gw_activate(const float *x, long count, int kind, float *y);
// y[r, c] = x[r, c] * gelu(x[r, width + c]) for rows [2 * width].
void gw_geglu(const float *x, long rows, long width, float *y);
#endif
