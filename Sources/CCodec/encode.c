// Pixels to bands: differences, bit planes, and the shortest of a few ways of each band.
#include <lz4.h>
#include <lz4hc.h>
#include <stdlib.h>
#include <string.h>
#include "band.h"
#if defined(__x86_64__)
#include <emmintrin.h>
#define GC_NO_BYTE_SHUFFLE
#endif
#define GC_WIDTH 16
#define GC_NAME(name) name##_encoding
#include "vectors.h"

// The ways that are tried, by LZ4's fast compressor; the best one is compressed with care.
static const int ways[] = {GC_VERTICAL, GC_HORIZONTAL, GC_VERTICAL | GC_HORIZONTAL,
                           GC_VERTICAL | GC_HORIZONTAL | GC_PHASES};

enum { GC_WAYS = sizeof ways / sizeof ways[0] };

// Room for one band of `bytes` bit planes, in one allocation.
typedef struct {
  uint8_t *colours;      // [3][rows][width]: G, R-G, B-G
  uint8_t *differences;  // [3][8 * groups][width] and GC_SLACK, rows filled up with zeros
  uint8_t *planes[2];    // the best so far, and the next
  char *compressed;
} workspace;

static int make_workspace(workspace *w, long bytes) {
  uint8_t *room = malloc((size_t)(4 * bytes + GC_SLACK + LZ4_COMPRESSBOUND(bytes)));
  if (!room) return 0;
  w->colours = room;
  w->planes[0] = room + bytes;
  w->planes[1] = room + 2 * bytes;
  w->differences = room + 3 * bytes;
  w->compressed = (char *)room + 4 * bytes + GC_SLACK;
  return 1;
}

static void split_colours(const uint8_t *rgb, long pixels, uint8_t *planes) {
  for (long i = 0; i < pixels; i++) {
    uint8_t green = rgb[3 * i + 1];
    planes[i] = green;
    planes[pixels + i] = (uint8_t)(rgb[3 * i] - green);
    planes[2 * pixels + i] = (uint8_t)(rgb[3 * i + 2] - green);
  }
}

// A difference d to 2|d| or 2|d| - 1: bit 0 the sign, so that small ones have high bits of zero.
static inline uint8_t fold(uint8_t d) { return (uint8_t)(d << 1 ^ (d & 0x80 ? 0xFF : 0)); }

// One row of one channel; `above` is NULL for the first row of a band.
static void difference_row(const uint8_t *row, const uint8_t *above, long width, int way,
                           uint8_t *out) {
  int vertical = (way & GC_VERTICAL) != 0, horizontal = (way & GC_HORIZONTAL) != 0;
  if (!above) {  // what is plain or differs downwards later differs to the left here
    out[0] = fold(row[0]);
    for (long x = 1; x < width; x++) out[x] = fold((uint8_t)(row[x] - row[x - 1]));
  } else if (vertical && horizontal) {
    out[0] = fold((uint8_t)(row[0] - above[0]));
    for (long x = 1; x < width; x++)
      out[x] = fold((uint8_t)(row[x] - above[x] - row[x - 1] + above[x - 1]));
  } else if (vertical) {
    for (long x = 0; x < width; x++) out[x] = fold((uint8_t)(row[x] - above[x]));
  } else {
    out[0] = fold((uint8_t)(row[0] - above[0]));
    for (long x = 1; x < width; x++) out[x] = fold((uint8_t)(row[x] - row[x - 1]));
  }
}

// Bit b of eight rows at one column to one byte of plane b, for all columns. Rows are readable for
// GC_SLACK bytes more.
static void split_bits(const uint8_t *const rows[8], long width, long stride, uint8_t *planes) {
  for (long x = 0; x < width; x += GC_WIDTH) {
    BYTES v[8];
    for (int i = 0; i < 8; i++) v[i] = *(const BYTES *)(rows[i] + x);
    transpose_encoding(v);
    long count = width - x < GC_WIDTH ? width - x : GC_WIDTH;
    for (int bit = 0; bit < 8; bit++) {
      if (count == GC_WIDTH)
        *(BYTES *)(planes + bit * stride + x) = v[bit];
      else
        memcpy(planes + bit * stride + x, &v[bit], (size_t)count);
    }
  }
}

static void part_columns(uint8_t *bytes, long width, uint8_t *spare) {
  long half = (width + 1) / 2;
  for (long x = 0; x < half; x++) spare[x] = bytes[2 * x];
  for (long x = 0; x < width / 2; x++) spare[half + x] = bytes[2 * x + 1];
  memcpy(bytes, spare, (size_t)width);
}

static void make_planes(workspace *w, long rows, long width, int way, uint8_t *planes) {
  long groups = gc_groups(rows), stride = groups * width;
  uint8_t spare[GC_MAXIMUM_WIDTH + 1];
  for (int channel = 0; channel < 3; channel++) {
    const uint8_t *colour = w->colours + channel * rows * width;
    uint8_t *differences = w->differences + channel * 8 * stride;
    for (long y = 0; y < rows; y++)
      difference_row(colour + y * width, y ? colour + (y - 1) * width : NULL, width, way,
                     differences + y * width);
    memset(differences + rows * width, 0, (size_t)((8 * groups - rows) * width));
    for (long group = 0; group < groups; group++) {
      const uint8_t *source[8];
      for (int i = 0; i < 8; i++) {
        long y = way & GC_PHASES ? group / 2 * 16 + 2 * i + group % 2 : 8 * group + i;
        source[i] = differences + y * width;
      }
      uint8_t *out = planes + channel * 8 * stride + group * width;
      split_bits(source, width, stride, out);
      for (int bit = 0; way & GC_PHASES && bit < 8; bit++)
        part_columns(out + bit * stride, width, spare);
    }
  }
}

// Writes one band behind the others and returns its header word.
static uint32_t write_band(workspace *w, long rows, long width, int effort, uint8_t *out) {
  int length = (int)gc_plane_bytes(rows, width), bound = LZ4_COMPRESSBOUND(length);
  int best = 0, shortest = 0, way = 0;
  for (int i = 0; i < GC_WAYS; i++) {
    if (ways[i] & GC_PHASES && gc_groups(rows) % 2 != 0) continue;
    if (effort < 0 && ways[i] != (GC_VERTICAL | GC_HORIZONTAL)) continue;
    uint8_t *planes = w->planes[1 - best];
    make_planes(w, rows, width, ways[i], planes);
    int size = LZ4_compress_default((const char *)planes, w->compressed, length, bound);
    if (shortest && size >= shortest) continue;
    best = 1 - best;
    shortest = size;
    way = ways[i];
  }
  const char *planes = (const char *)w->planes[best];
  int size = shortest;  // With one way tried, what it gave lies there already.
  if (effort > 0) size = LZ4_compress_HC(planes, w->compressed, length, bound, effort);
  if (effort == 0) size = LZ4_compress_default(planes, w->compressed, length, bound);
  if (size <= 0 || size >= length) {
    memcpy(out, planes, (size_t)length);
    return (uint32_t)(way | GC_STORED | length);
  }
  memcpy(out, w->compressed, (size_t)size);
  return (uint32_t)(way | size);
}

long gc_encode_bound(long width, long height) {
  long bands = gc_band_count(width, height), rows = gc_band_rows(width);
  return bands * (4 + gc_plane_bytes(rows, width));
}

long gc_encode_image(const uint8_t *rgb, long width, long height, int effort, uint8_t *payload) {
  if (width < 1 || height < 1 || width > GC_MAXIMUM_WIDTH) return 0;
  long bands = gc_band_count(width, height), bandRows = gc_band_rows(width), offset = 4 * bands;
  workspace w;
  if (!make_workspace(&w, gc_plane_bytes(bandRows < height ? bandRows : height, width))) return 0;
  for (long band = 0; band < bands; band++) {
    long top = band * bandRows, rows = height - top < bandRows ? height - top : bandRows;
    split_colours(rgb + 3 * top * width, rows * width, w.colours);
    uint32_t word = write_band(&w, rows, width, effort, payload + offset);
    for (int i = 0; i < 4; i++) payload[4 * band + i] = (uint8_t)(word >> 8 * i);
    offset += word & GC_LENGTH_MASK;
  }
  free(w.colours);
  return offset;
}
