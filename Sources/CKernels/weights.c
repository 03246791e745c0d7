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

void gw_convolution_panel(const void *from, int bytes, long inputs, long taps, long output,
                          int count, int panel, void *to) {
  memset(to, 0, (size_t)(taps * inputs * panel * bytes));
  for (long i = 0; i < inputs; i++)
    for (long t = 0; t < taps; t++)
      for (long o = 0; o < count; o++) {
        long source = ((output + o) * inputs + i) * taps + t;
        long target = (t * inputs + i) * panel + o;
        if (bytes == 4)
          ((uint32_t *)to)[target] = ((const uint32_t *)from)[source];
        else
          ((uint16_t *)to)[target] = ((const uint16_t *)from)[source];
      }
}
