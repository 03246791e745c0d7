// The kernels of decoding at three machine levels, and the choice between them.
#include <stdint.h>
#include <string.h>
#include "kernels.h"
#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi"))), apply_to = function)
#define GC_WIDTH 64
#define GC_NAME(name) name##_avx512
#include "vectors.h"
#include "band_kernel.h"
#include "phase_kernel.h"
#undef GC_WIDTH
#undef GC_NAME
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#define GC_WIDTH 32
#define GC_NAME(name) name##_avx2
#include "vectors.h"
#include "band_kernel.h"
#include "phase_kernel.h"
#undef GC_WIDTH
#undef GC_NAME
#pragma clang attribute pop
#define GC_NO_BYTE_SHUFFLE
#endif

#define GC_WIDTH 16
#define GC_NAME(name) name##_baseline
#include "vectors.h"
#include "band_kernel.h"
#include "phase_kernel.h"
#undef GC_WIDTH
#undef GC_NAME

void gc_restore_band(const gc_band *band, int flags) {
#if defined(__x86_64__)
  int level = gc_level();
  if (level == GC_AVX512) return band_avx512(band, flags);
  if (level == GC_AVX2) return band_avx2(band, flags);
#endif
  band_baseline(band, flags);
}

void gc_join_phases(const uint8_t *apart, long groups, long width, uint8_t *planes) {
#if defined(__x86_64__)
  int level = gc_level();
  if (level == GC_AVX512) return join_avx512(apart, groups, width, planes);
  if (level == GC_AVX2) return join_avx2(apart, groups, width, planes);
#endif
  join_baseline(apart, groups, width, planes);
}
