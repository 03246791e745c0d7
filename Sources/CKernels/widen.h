// Reading sixteen weights of any stored kind.
#ifndef GW_WIDEN_H
#define GW_WIDEN_H
#include "include/ckernels.h"
#include "simd.h"

// IEEE half: shift the fields into place and let a multiplication by 2^112 fix the exponent, which
// is exact for denormals too; exponent 31 (infinity, NaN) keeps all exponent bits set.
GW_INLINE void gw_load_weights(v16 *out, const void *w, int kind, long index) {
  if (kind == GW_FLOAT32) {
    *out = GW_LOAD((const float *)w + index);
    return;
  }
  h16 half = *(const h16 *)((const uint16_t *)w + index);
  u16x bits = __builtin_convertvector(half, u16x);
  if (kind == GW_BFLOAT16) {
    *out = (v16)(bits << 16);
    return;
  }
  u16x sign = (bits & 0x8000u) << 16;
  v16 value = (v16)((bits & 0x7FFFu) << 13) * 0x1p112f;
  u16x special = (u16x)((bits & 0x7C00u) == 0x7C00u) & 0x7F800000u;
  *out = (v16)((u16x)value | sign | special);
}

GW_INLINE float gw_load_weight(const void *w, int kind, long index) {
  if (kind == GW_FLOAT32) return ((const float *)w)[index];
  uint32_t bits = ((const uint16_t *)w)[index];
  float value;
  uint32_t word;
  if (kind == GW_BFLOAT16) {
    word = bits << 16;
  } else {
    word = (bits & 0x7FFFu) << 13;
    memcpy(&value, &word, 4);
    value *= 0x1p112f;
    memcpy(&word, &value, 4);
    word |= (bits & 0x8000u) << 16;
    if ((bits & 0x7C00u) == 0x7C00u) word |= 0x7F800000u;
  }
  memcpy(&value, &word, 4);
  return value;
}
#endif
