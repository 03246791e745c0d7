// One-time work on weights while a model is loaded.
#include "include/ckernels.h"
#include "simd.h"
#include "widen.h"

GW_CLONES int gw_has_non_finite(const void *values, int kind, long count) {
  // All exponent bits set means infinity or NaN.
  uint32_t found = 0;
  if (kind == GW_FLOAT32) {
    const uint32_t *words = values;
    for (long i = 0; i < count; i++) found |= (words[i] & 0x7F800000u) == 0x7F800000u;
  } else {
    const uint16_t *words = values, mask = kind == GW_FLOAT16 ? 0x7C00 : 0x7F80;
    for (long i = 0; i < count; i++) found |= (words[i] & mask) == mask;
  }
  return found != 0;
}

void gw_convolution_order(const void *from, int bytes, long outputs, long inputs, long taps,
                          long first, long count, void *to) {
  for (long o0 = 0; o0 < outputs; o0 += 16) {
    long o1 = o0 + 16 < outputs ? o0 + 16 : outputs;
    for (long i = first; i < first + count; i++)
      for (long t = 0; t < taps; t++)
        for (long o = o0; o < o1; o++) {
          long source = (o * inputs + i) * taps + t, target = (t * inputs + i) * outputs + o;
          if (bytes == 4)
            ((uint32_t *)to)[target] = ((const uint32_t *)from)[source];
          else
            ((uint16_t *)to)[target] = ((const uint16_t *)from)[source];
        }
  }
}
