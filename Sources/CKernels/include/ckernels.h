// The inner loops that need wider vectors than a baseline x86-64 build of Swift may use. Each
// function is compiled for AVX-512, AVX2 and the baseline, and picks one when it is first called.
// None of them allocates, keeps state or starts threads; the Swift side in `Kernels/` owns the
// memory, splits the work and checks every size. All floats are 32-bit; `long` counts elements.
//
// Axis letters: P pixels or tiles, C channels, K depth of a product. Pixels are channels-last.
#ifndef CKERNELS_H
#define CKERNELS_H

// How a weight is stored.
enum { GW_FLOAT32 = 0, GW_FLOAT16 = 1, GW_BFLOAT16 = 2 };

// out[i] = the float of values[first + i].
void gw_widen(const void *values, int kind, long first, long count, float *out);

// 1 when a value is infinite or not a number.
int gw_has_non_finite(const void *values, int kind, long count);
// to[tap][input][0..<panel] = from[output + ..][input][tap], zeros from `count` outputs on.
void gw_convolution_panel(const void *from, int bytes, long inputs, long taps, long output,
                          int count, int panel, void *to);

// c[r, 0..<width] (+)= a[r, 0..<depth] * b[0..<depth, 0..<width] for `rows` rows.
// `a` has row stride lda, `c` ldc; `b` is a packed panel of `width` (16 or 32) columns.
void gw_panel_product(const float *a, long lda, const float *b, float *c, long ldc, long rows,
                      long depth, int width, int accumulate);
// Packs columns [column, column + width) of w [depth, columns] into a panel of `panel` columns,
// zeros beyond `width`.
void gw_pack_panel(const void *w, int kind, long columns, long column, int width, int panel,
                   long row, long depth, float *out);
// Packs rows [row, row + count) of k [.., ld] (heads inside rows) as a panel [depth, 32], transposed.
void gw_pack_transposed(const float *k, long ld, long count, long depth, float *out);

// Winograd F(4x4, 3x3), Lavin and Gray 2016, with the points 0, +-1/sqrt 2, +-sqrt 2, infinity.
// v[36][stride] receives tile t of [first, last) at t * channels, relative to `first`.
void gw_winograd_input(const float *image, long height, long width, long channels, long tilesY,
                       long tilesX, long first, long last, long origin, float *v, long stride);
// u[36][count][panel] from inputs [input, input + count) of the panel w[9][inputs][panel] that starts
// at value `first`.
void gw_winograd_weights(const void *w, int kind, long first, long inputs, long input, long count,
                         int panel, float *u);
// Adds the bias and writes outputs [output, output + panel) of tiles [first, last).
void gw_winograd_output(const float *m, long stride, int panel, const float *bias, float *image,
                        long height, long width, long outputs, long output, long tilesY,
                        long tilesX, long first, long last);

// Rows [firstRow, firstRow + rows) of the im2col matrix [P, kernel*kernel*channels] of a
// convolution over image [batch, height, width, channels]; padding is zeros.
void gw_unfold(const float *image, long height, long width, long channels, long kernel,
               long stride, long padTop, long padLeft, long outHeight, long outWidth,
               long firstRow, long rows, float *out);

// One block of keys of a streaming softmax over score rows [rows, ld]: scales, updates the running
// maximum and sum, replaces scores by exp(score - maximum) and rescales out [rows, ldo].
// When `causal` is not 0, row r sees the first keysOfFirstRow + r keys only (none when negative).
void gw_softmax_block(float *scores, long ld, long rows, long keys, int causal,
                      long keysOfFirstRow, float scale, float *maximum, float *sum, float *out, long ldo, long depth);
// out[r, :] = in[r, :] / sum[r].
void gw_divide_rows(const float *in, long ldi, const float *sum, long rows, long depth, float *out,
                    long ldo);

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
// y += x, y = a * x + b * y.
void gw_add(const float *x, long count, float *y);
void gw_combine(const float *x, long count, float a, float b, float *y);
// y[r, :] = row + (x[r, :] when x is not null).
void gw_add_row(const float *x, const float *row, long rows, long columns, float *y);
#endif
