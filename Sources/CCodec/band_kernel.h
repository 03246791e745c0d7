// Bit planes of a band to pixels, fused: bits back to bytes, signs, both differences, colours, and
// the store, eight rows of GC_WIDTH columns at a time without leaving registers and L1.
// Included once for each machine level, behind vectors.h.

// Eight bit planes of eight rows to eight rows of differences: `v[i]` holds in byte c the bits of
// rows 0 to 7 at column c. Bit 0 is the sign s, bit i + 1 the difference's bit i xor s.
GC_INLINE void GC_NAME(differences)(const uint8_t *planes, long stride, BYTES v[8]) {
  BYTES sign = *(const BYTES *)planes;
#pragma clang loop unroll(full)
  for (int i = 0; i < 7; i++) v[i] = *(const BYTES *)(planes + (i + 1) * stride) ^ sign;
  v[7] = sign;
  GC_NAME(transpose)(v);
}

// What the eight rows at hand take over from their left, and all rows from above.
typedef struct {
  uint8_t left[3][8];
  uint8_t corner[3];  // first pixel of the row above, where only columns are differences
  uint8_t above[3][GC_MAXIMUM_WIDTH + GC_SLACK];
} GC_NAME(carry);

GC_INLINE void GC_NAME(sum_row)(BYTES *v, uint8_t *left) {
  GC_NAME(prefix)(v);
  *v += *left;
  *left = (*v)[GC_WIDTH - 1];
}

// Undoes the differences of one channel at column x.
GC_INLINE void GC_NAME(sum)(BYTES v[8], int channel, long x, int isFirstGroup, int vertical,
                            int horizontal, GC_NAME(carry) *carry) {
  if (horizontal) {
    if (x == 0) {
      uint8_t corner = vertical ? 0 : carry->corner[channel];
#pragma clang loop unroll(full)
      for (int i = 0; i < 8; i++) {
        carry->left[channel][i] = corner;
        if (!vertical) corner += v[i][0];
      }
      carry->corner[channel] = corner;
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 8; i++) GC_NAME(sum_row)(&v[i], &carry->left[channel][i]);
  } else if (isFirstGroup) {
    GC_NAME(sum_row)(&v[0], &carry->left[channel][0]);
  }
  if (vertical) {
    BYTES row = *(BYTES *)(carry->above[channel] + x);
#pragma clang loop unroll(full)
    for (int i = 0; i < 8; i++) v[i] = row = row + v[i];
    *(BYTES *)(carry->above[channel] + x) = row;
  }
}

// One row of `count` columns, at most GC_WIDTH, to its place.
GC_INLINE void GC_NAME(store)(uint8_t *out, long plane, BYTES *r, BYTES *g, BYTES *b, long count,
                              int planar) {
  if (planar) {
    if (count == GC_WIDTH) {
      *(BYTES *)out = *r;
      *(BYTES *)(out + plane) = *g;
      *(BYTES *)(out + 2 * plane) = *b;
    } else {
      memcpy(out, r, (size_t)count);
      memcpy(out + plane, g, (size_t)count);
      memcpy(out + 2 * plane, b, (size_t)count);
    }
  } else if (count == GC_WIDTH) {
    GC_NAME(interleave)(out, r, g, b);
  } else {
    uint8_t pixels[3 * GC_WIDTH];
    GC_NAME(interleave)(pixels, r, g, b);
    memcpy(out, pixels, (size_t)(3 * count));
  }
}

GC_INLINE void GC_NAME(band_body)(const gc_band *band, int vertical, int horizontal, int planar) {
  long width = band->width, groups = gc_groups(band->rows), stride = groups * width;
  GC_NAME(carry) carry;
  memset(carry.left, 0, sizeof carry.left);
  memset(carry.corner, 0, sizeof carry.corner);
  if (vertical)
    for (int channel = 0; channel < 3; channel++)
      memset(carry.above[channel], 0, (size_t)width + GC_SLACK);
  for (long group = 0; group < groups; group++) {
    long rows = band->rows - 8 * group < 8 ? band->rows - 8 * group : 8;
    for (long x = 0; x < width; x += GC_WIDTH) {
      const uint8_t *planes = band->planes + group * width + x;
      BYTES g[8], r[8], b[8];
      GC_NAME(differences)(planes, stride, g);
      GC_NAME(sum)(g, 0, x, group == 0, vertical, horizontal, &carry);
      GC_NAME(differences)(planes + 8 * stride, stride, r);
      GC_NAME(sum)(r, 1, x, group == 0, vertical, horizontal, &carry);
      GC_NAME(differences)(planes + 16 * stride, stride, b);
      GC_NAME(sum)(b, 2, x, group == 0, vertical, horizontal, &carry);
      long count = width - x < GC_WIDTH ? width - x : GC_WIDTH;
      uint8_t *out = band->out + (8 * group * width + x) * (planar ? 1 : 3);
      // Rows that only fill up the last group are not part of the image.
      for (int i = 0; i < rows; i++) {
        r[i] += g[i];
        b[i] += g[i];
        GC_NAME(store)(out + i * width * (planar ? 1 : 3), band->plane, &r[i], &g[i], &b[i], count,
                       planar);
      }
    }
  }
}

// `flags` holds GC_VERTICAL, GC_HORIZONTAL or both; the constants make six loops of one.
static void GC_NAME(band)(const gc_band *band, int flags) {
  int both = GC_VERTICAL | GC_HORIZONTAL;
  if ((flags & both) == both)
    band->plane ? GC_NAME(band_body)(band, 1, 1, 1) : GC_NAME(band_body)(band, 1, 1, 0);
  else if (flags & GC_VERTICAL)
    band->plane ? GC_NAME(band_body)(band, 1, 0, 1) : GC_NAME(band_body)(band, 1, 0, 0);
  else
    band->plane ? GC_NAME(band_body)(band, 0, 1, 1) : GC_NAME(band_body)(band, 0, 1, 0);
}
