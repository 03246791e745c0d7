// Products with a packed panel: the core of convolution and attention.
#include "include/ckernels.h"
#include "simd.h"
#include "widen.h"

// `rows` accumulators of `vectors` registers each; both are constants where this is inlined.
GW_INLINE void tile(const float *a, long lda, const float *b, float *c, long ldc, long depth,
                    const int rows, const int vectors, int accumulate) {
  v16 sum[12][2];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int j = 0; j < vectors; j++)
      sum[r][j] = accumulate ? GW_LOAD(c + r * ldc + 16 * j) : (v16){};
  for (long k = 0; k < depth; k++) {
    v16 right[2];
#pragma clang loop unroll(full)
    for (int j = 0; j < vectors; j++) right[j] = GW_LOAD(b + k * 16 * vectors + 16 * j);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      v16 left = GW_SPLAT(a[r * lda + k]);
#pragma clang loop unroll(full)
      for (int j = 0; j < vectors; j++) sum[r][j] += left * right[j];
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int j = 0; j < vectors; j++) GW_STORE(c + r * ldc + 16 * j, sum[r][j]);
}

// All rows, `block` at a time, then the rest one power of two at a time.
GW_INLINE void panel(const float *a, long lda, const float *b, float *c, long ldc, long rows,
                     long depth, const int vectors, const int block, int accumulate) {
  long r = 0;
  for (; r + block <= rows; r += block)
    tile(a + r * lda, lda, b, c + r * ldc, ldc, depth, block, vectors, accumulate);
  if (block > 8 && r + 8 <= rows) {
    tile(a + r * lda, lda, b, c + r * ldc, ldc, depth, 8, vectors, accumulate);
    r += 8;
  }
  if (block > 4 && r + 4 <= rows) {
    tile(a + r * lda, lda, b, c + r * ldc, ldc, depth, 4, vectors, accumulate);
    r += 4;
  }
  if (block > 2 && r + 2 <= rows) {
    tile(a + r * lda, lda, b, c + r * ldc, ldc, depth, 2, vectors, accumulate);
    r += 2;
  }
  for (; r < rows; r++)
    tile(a + r * lda, lda, b, c + r * ldc, ldc, depth, 1, vectors, accumulate);
}

// The register block differs with the number of registers: 32 of 16 floats, 16 of 8, 16 of 4.
#define GW_PANEL(name, attributes, block)                                                    \
  attributes static void name(const float *a, long lda, const float *b, float *c, long ldc,  \
                              long rows, long depth, int width, int accumulate) {            \
    if (width == 32)                                                                         \
      panel(a, lda, b, c, ldc, rows, depth, 2, block, accumulate);                           \
    else                                                                                     \
      panel(a, lda, b, c, ldc, rows, depth, 1, block, accumulate);                           \
  }

#if defined(__x86_64__)
GW_PANEL(panel_avx512, __attribute__((target("avx512f"))), 12)
GW_PANEL(panel_avx2, __attribute__((target("arch=x86-64-v3"))), 3)
#endif
GW_PANEL(panel_base, , 3)

void gw_panel_product(const float *a, long lda, const float *b, float *c, long ldc, long rows,
                      long depth, int width, int accumulate) {
#if defined(__x86_64__)
  int level = gw_level();
  if (level == GW_AVX512)
    return panel_avx512(a, lda, b, c, ldc, rows, depth, width, accumulate);
  if (level == GW_AVX2)
    return panel_avx2(a, lda, b, c, ldc, rows, depth, width, accumulate);
#endif
  panel_base(a, lda, b, c, ldc, rows, depth, width, accumulate);
}

GW_KERNEL(void, gw_widen,
          (const void *values, int kind, long first, long count, float *out),
          (values, kind, first, count, out)) {
  long i = 0;
  for (; i + 16 <= count; i += 16) {
    v16 x;
    gw_load_weights(&x, values, kind, first + i);
    GW_STORE(out + i, x);
  }
  for (; i < count; i++) out[i] = gw_load_weight(values, kind, first + i);
}
