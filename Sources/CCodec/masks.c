// Masks without masks in between: runs and bits painted where they are wanted.
#include <string.h>
#include "include/ccodec.h"

#define GC_INLINE static inline __attribute__((always_inline))

// The next run length, or -1 where the bytes end early or make no number of at most 32 bits.
GC_INLINE long next_run(const uint8_t **at, const uint8_t *end) {
  if (*at < end && **at < 0x80) return *(*at)++;
  long length = 0;
  for (int shift = 0; shift <= 28; shift += 7) {
    if (*at == end) return -1;
    uint8_t byte = *(*at)++;
    length |= (long)(byte & 0x7F) << shift;
    if (byte < 0x80) return length;
  }
  return -1;
}

GC_INLINE void fill_labels(uint16_t *labels, long count, uint16_t value) {
  for (long i = 0; i < count; i++) labels[i] = value;
}

int gc_paint_runs(const uint8_t *runs, long bytes, long pixels, uint16_t value, uint16_t *labels) {
  const uint8_t *at = runs, *end = runs + bytes;
  long pixel = 0;
  for (int isOne = 0; at < end; isOne = !isOne) {
    long length = next_run(&at, end);
    if (length < 0 || length > pixels - pixel) return GC_CORRUPT;
    if (isOne) fill_labels(labels + pixel, length, value);
    pixel += length;
  }
  return pixel == pixels ? GC_DONE : GC_CORRUPT;
}

int gc_fill_runs(const uint8_t *runs, long bytes, long pixels, uint8_t *mask) {
  const uint8_t *at = runs, *end = runs + bytes;
  long pixel = 0;
  for (int isOne = 0; at < end; isOne = !isOne) {
    long length = next_run(&at, end);
    if (length < 0 || length > pixels - pixel) return GC_CORRUPT;
    memset(mask + pixel, isOne, (size_t)length);
    pixel += length;
  }
  return pixel == pixels ? GC_DONE : GC_CORRUPT;
}

void gc_paint_bits(const uint8_t *bits, long pixels, uint16_t value, uint16_t *labels) {
  long pixel = 0;
  for (; pixel + 8 <= pixels; pixel += 8) {
    uint8_t byte = bits[pixel >> 3];
    if (byte == 0) continue;
    for (int i = 0; i < 8; i++) {
      uint16_t mask = (uint16_t)-(byte >> i & 1);
      labels[pixel + i] = (uint16_t)((labels[pixel + i] & ~mask) | (value & mask));
    }
  }
  for (; pixel < pixels; pixel++)
    if (bits[pixel >> 3] >> (pixel & 7) & 1) labels[pixel] = value;
}

void gc_fill_bits(const uint8_t *bits, long pixels, uint8_t *mask) {
  long pixel = 0;
  for (; pixel + 8 <= pixels; pixel += 8) {
    // The byte to all eight places, one bit of it each, and that bit to 1.
    uint64_t spread = bits[pixel >> 3] * 0x0101010101010101u & 0x8040201008040201u;
    spread = (spread + 0x00406070787C7E7Fu) >> 7 & 0x0101010101010101u;
    memcpy(mask + pixel, &spread, 8);
  }
  for (; pixel < pixels; pixel++) mask[pixel] = bits[pixel >> 3] >> (pixel & 7) & 1;
}

static int is_mask(const uint8_t *bytes, long pixels) {
  uint8_t all = 0;
  for (long i = 0; i < pixels; i++) all |= bytes[i];
  return all <= 1;
}

int gc_paint_bytes(const uint8_t *mask, long pixels, uint16_t value, uint16_t *labels) {
  if (!is_mask(mask, pixels)) return GC_CORRUPT;
  for (long i = 0; i < pixels; i++) labels[i] = mask[i] ? value : labels[i];
  return GC_DONE;
}

int gc_fill_bytes(const uint8_t *bytes, long pixels, uint8_t *mask) {
  if (!is_mask(bytes, pixels)) return GC_CORRUPT;
  memcpy(mask, bytes, (size_t)pixels);
  return GC_DONE;
}
