// The geometry of a band and what its header word says, shared by encoder and decoder.
#ifndef GC_BAND_H
#define GC_BAND_H
#include "include/ccodec.h"

// A band holds at most this many pixels, so that its bit planes (3 bytes a pixel) and the pixels
// they become stay in the second-level cache together.
enum { GC_BAND_PIXELS = 32768, GC_BAND_BYTES = 3 * GC_BAND_PIXELS };
// What vector loads may read behind the last bit plane.
enum { GC_SLACK = 64 };

// Header word of a band: stored bytes below, then how they are to be read.
enum {
  GC_LENGTH_MASK = 0x00FFFFFF,
  GC_VERTICAL = 1 << 24,    // rows are differences to the row above
  GC_HORIZONTAL = 1 << 25,  // columns are differences to the column before
  GC_PHASES = 1 << 26,      // even and odd rows and columns lie apart
  GC_STORED = 1 << 27,      // the bit planes are not compressed
  GC_KNOWN_FLAGS = GC_VERTICAL | GC_HORIZONTAL | GC_PHASES | GC_STORED
};

// Rows of every band but the last: a multiple of 16 for images that are not very wide.
static inline long gc_band_rows(long width) {
  return width <= GC_BAND_PIXELS / 16 ? GC_BAND_PIXELS / width / 16 * 16 : 8;
}

// Bit planes come in groups of eight rows; the last group is filled up with zero bits.
static inline long gc_groups(long rows) { return (rows + 7) / 8; }

// [channel][bit][group][column] bytes of all bit planes of a band; at most GC_BAND_BYTES.
static inline long gc_plane_bytes(long rows, long width) { return 24 * gc_groups(rows) * width; }

typedef struct {
  const uint8_t *planes;  // [3][8][groups][width], readable for GC_SLACK bytes more
  long width;
  long rows;    // of this band, at least 1
  uint8_t *out; // first pixel of the band
  long plane;   // bytes from one plane of the output to the next; 0 when interleaved
} gc_band;
#endif
