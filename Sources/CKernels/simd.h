// Sixteen floats as one value, and the few functions on it that the kernels share.
#ifndef GW_SIMD_H
#define GW_SIMD_H
#include <stdint.h>
#include <string.h>
#include "include/ckernels.h"

typedef float v16 __attribute__((vector_size(64), aligned(4)));
typedef int32_t i16 __attribute__((vector_size(64), aligned(4)));
typedef uint32_t u16x __attribute__((vector_size(64), aligned(4)));
typedef uint16_t h16 __attribute__((vector_size(32), aligned(2)));

#define GW_INLINE static inline __attribute__((always_inline))

// One body, compiled for three machine levels; `gw_level` says which one runs. "avx512f" and not
// x86-64-v4, for which clang prefers 256-bit registers and loses a third of the speed.
#if defined(__x86_64__)
#define GW_KERNEL(type, name, parameters, arguments)                                      \
  GW_INLINE type name##_body parameters;                                                  \
  __attribute__((target("avx512f"))) static type name##_avx512 parameters {               \
    return name##_body arguments;                                                         \
  }                                                                                       \
  __attribute__((target("arch=x86-64-v3"))) static type name##_avx2 parameters {          \
    return name##_body arguments;                                                         \
  }                                                                                       \
  static type name##_baseline parameters { return name##_body arguments; }                \
  type name parameters {                                                                  \
    int level = gw_level();                                                               \
    if (level == GW_AVX512) return name##_avx512 arguments;                               \
    if (level == GW_AVX2) return name##_avx2 arguments;                                   \
    return name##_baseline arguments;                                                     \
  }                                                                                       \
  GW_INLINE type name##_body parameters
#else
#define GW_KERNEL(type, name, parameters, arguments) type name parameters
#endif

// Macros rather than functions: a vector argument would change its ABI between machine levels.
#define GW_LOAD(p) (*(const v16 *)(p))
#define GW_STORE(p, x) (*(v16 *)(p) = (x))
#define GW_SPLAT(x) ((v16){} + (float)(x))
#define GW_SELECT(mask, a, b) \
  ((v16)(((i16)(mask) & (i16)(a)) | (~(i16)(mask) & (i16)(b))))

// out = exp(in): 2^n * p(r), |r| <= ln 2 / 2; Cephes' expf polynomial, within 2 ulp.
#define GW_EXP(out, in)                                                              \
  do {                                                                               \
    v16 e_x = (in);                                                                  \
    e_x = GW_SELECT(e_x > GW_SPLAT(88.0f), GW_SPLAT(88.0f), e_x);                    \
    e_x = GW_SELECT(e_x < GW_SPLAT(-87.0f), GW_SPLAT(-87.0f), e_x);                  \
    v16 e_n = e_x * 1.44269504088896341f + 12582912.0f;                              \
    i16 e_i = (i16)e_n - 0x4B400000;                                                 \
    e_n = e_n - 12582912.0f;                                                         \
    v16 e_r = e_x - e_n * 0.693359375f;                                              \
    e_r = e_r + e_n * 2.12194440e-4f;                                                \
    v16 e_p = e_r * 1.9875691500e-4f + 1.3981999507e-3f;                             \
    e_p = e_p * e_r + 8.3334519073e-3f;                                              \
    e_p = e_p * e_r + 4.1665795894e-2f;                                              \
    e_p = e_p * e_r + 1.6666665459e-1f;                                              \
    e_p = e_p * e_r + 5.0000001201e-1f;                                              \
    e_p = e_p * e_r * e_r + e_r + 1.0f;                                              \
    (out) = (v16)((i16)e_p + (e_i << 23));                                           \
  } while (0)

// out = erf(in), Abramowitz and Stegun 7.1.26 is too coarse for 1e-5; this is the rational form
// of the error function on [-4, 4] (odd numerator over even denominator), within 3e-7.
#define GW_ERF(out, in)                                                              \
  do {                                                                               \
    v16 f_x = (in);                                                                  \
    f_x = GW_SELECT(f_x > GW_SPLAT(4.0f), GW_SPLAT(4.0f), f_x);                      \
    f_x = GW_SELECT(f_x < GW_SPLAT(-4.0f), GW_SPLAT(-4.0f), f_x);                    \
    v16 f_s = f_x * f_x;                                                             \
    v16 f_p = f_s * -2.72614225801306e-10f + 2.77068142495902e-08f;                  \
    f_p = f_p * f_s + -2.10102402082508e-06f;                                        \
    f_p = f_p * f_s + -5.69250639462346e-05f;                                        \
    f_p = f_p * f_s + -7.34990630326855e-04f;                                        \
    f_p = f_p * f_s + -2.95459980854025e-03f;                                        \
    f_p = f_p * f_s + -1.60960333262415e-02f;                                        \
    v16 f_q = f_s * -1.45660718464996e-05f + -2.13374055278905e-04f;                 \
    f_q = f_q * f_s + -1.68282697438203e-03f;                                        \
    f_q = f_q * f_s + -7.37332916720468e-03f;                                        \
    f_q = f_q * f_s + -1.42647390514189e-02f;                                        \
    (out) = f_x * f_p / f_q;                                                         \
  } while (0)

GW_INLINE float gw_exp1(float x) {
  v16 y;
  GW_EXP(y, GW_SPLAT(x));
  return y[0];
}
#endif
