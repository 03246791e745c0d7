// Normalisation and activations: one pass over memory each.
#include <math.h>
#include "include/ckernels.h"
#include "simd.h"

GW_KERNEL(void, gw_channel_sums,
          (const float *x, long pixels, long channels, const float *pivot, float *sum,
           float *squares),
          (x, pixels, channels, pivot, sum, squares)) {
  for (long c = 0; c < channels; c++) sum[c] = squares[c] = 0;
  for (long p = 0; p < pixels; p++)
    for (long c = 0; c < channels; c++) {
      float d = x[p * channels + c] - pivot[c];
      sum[c] += d;
      squares[c] += d * d;
    }
}

GW_KERNEL(void, gw_scale_shift,
          (const float *x, long pixels, long channels, const float *scale, const float *shift,
           int silu, float *y),
          (x, pixels, channels, scale, shift, silu, y)) {
  long whole = channels / 16 * 16;
  for (long p = 0; p < pixels; p++) {
    const float *from = x + p * channels;
    float *to = y + p * channels;
    for (long c = 0; c < whole; c += 16) {
      v16 z = GW_LOAD(from + c) * GW_LOAD(scale + c) + GW_LOAD(shift + c);
      if (silu) {
        v16 e;
        GW_EXP(e, -z);
        z = z / (e + 1.0f);
      }
      GW_STORE(to + c, z);
    }
    for (long c = whole; c < channels; c++) {
      float z = from[c] * scale[c] + shift[c];
      to[c] = silu ? z / (1 + gw_exp1(-z)) : z;
    }
  }
}

GW_KERNEL(void, gw_layer_norm,
          (const float *x, long rows, long channels, const float *weight, const float *bias,
           float eps, float *y),
          (x, rows, channels, weight, bias, eps, y)) {
  long whole = channels / 16 * 16;
  for (long r = 0; r < rows; r++) {
    const float *from = x + r * channels;
    float *to = y + r * channels;
    v16 part = {};
    float sum = 0, squares = 0;
    for (long c = 0; c < whole; c += 16) part += GW_LOAD(from + c);
    for (int j = 0; j < 16; j++) sum += part[j];
    for (long c = whole; c < channels; c++) sum += from[c];
    float mean = sum / channels;
    part = (v16){};
    for (long c = 0; c < whole; c += 16) {
      v16 d = GW_LOAD(from + c) - mean;
      part += d * d;
    }
    for (int j = 0; j < 16; j++) squares += part[j];
    for (long c = whole; c < channels; c++) squares += (from[c] - mean) * (from[c] - mean);
    float factor = 1 / sqrtf(squares / channels + eps);
    for (long c = 0; c < channels; c++) to[c] = (from[c] - mean) * factor * weight[c] + bias[c];
  }
}

// Sixteen activations at a time; the tail goes through a buffer so that a value has the same
// result wherever it lies.
#define GW_EACH(formula)                                        \
  do {                                                          \
    long i = 0;                                                 \
    for (; i + 16 <= count; i += 16) {                          \
      v16 z = GW_LOAD(x + i), e;                                \
      formula;                                                  \
      GW_STORE(y + i, z);                                       \
    }                                                           \
    if (i < count) {                                            \
      float buffer[16] = {0};                                   \
      memcpy(buffer, x + i, (size_t)(count - i) * 4);           \
      v16 z = GW_LOAD(buffer), e;                               \
      formula;                                                  \
      GW_STORE(buffer, z);                                      \
      memcpy(y + i, buffer, (size_t)(count - i) * 4);           \
    }                                                           \
  } while (0)

GW_KERNEL(void, gw_activate,
          (const float *x, long count, int kind, float *y),
          (x, count, kind, y)) {
  if (kind == GW_SILU) GW_EACH(GW_EXP(e, -z); z = z / (e + 1.0f));
  if (kind == GW_QUICK_GELU) GW_EACH(GW_EXP(e, z * -1.702f); z = z / (e + 1.0f));
  if (kind == GW_GELU) GW_EACH(GW_ERF(e, z * 0.70710678118654752f); z = z * 0.5f * (e + 1.0f));
  if (kind == GW_RELU) GW_EACH(e = GW_SPLAT(0); z = GW_SELECT(z > e, z, e));
}

GW_KERNEL(void, gw_geglu,
          (const float *x, long rows, long width, float *y),
          (x, rows, width, y)) {
  for (long r = 0; r < rows; r++) {
    const float *value = x + r * 2 * width, *gate = value + width;
    float *to = y + r * width;
    long c = 0;
    for (; c + 16 <= width; c += 16) {
      v16 g = GW_LOAD(gate + c), e;
      GW_ERF(e, g * 0.70710678118654752f);
      GW_STORE(to + c, GW_LOAD(value + c) * (g * 0.5f * (e + 1.0f)));
    }
    for (; c < width; c++) {
      v16 g = GW_SPLAT(gate[c]), e;
      GW_ERF(e, g * 0.70710678118654752f);
      to[c] = value[c] * (gate[c] * 0.5f * (e[0] + 1.0f));
    }
  }
}
