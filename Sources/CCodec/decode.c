// Payload to bands: the headers, their checks, LZ4, and the kernels behind it.
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include "kernels.h"

long gc_band_count(long width, long height) {
  long rows = gc_band_rows(width);
  return (height + rows - 1) / rows;
}

static uint32_t word_at(const uint8_t *bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
         (uint32_t)bytes[3] << 24;
}

// Whether the words are ones that the encoder writes and their lengths fill the payload exactly.
static int is_sound(const uint8_t *payload, long bytes, long width, long height) {
  long bands = gc_band_count(width, height);
  if (bytes < 4 * bands) return 0;
  long sum = 4 * bands;
  for (long band = 0; band < bands; band++) {
    uint32_t word = word_at(payload + 4 * band);
    if (word & ~(uint32_t)(GC_LENGTH_MASK | GC_KNOWN_FLAGS)) return 0;
    if (!(word & (GC_VERTICAL | GC_HORIZONTAL))) return 0;
    sum += word & GC_LENGTH_MASK;
  }
  return sum == bytes;
}

// Bit planes of one band into `planes`, which has room for them; 0 when the payload is corrupt.
static int read_planes(const uint8_t *stored, long length, uint32_t word, long rows, long width,
                       uint8_t *planes) {
  long expected = gc_plane_bytes(rows, width);
  if (word & GC_STORED) {
    if (length != expected) return 0;
    memcpy(planes, stored, (size_t)length);
    return 1;
  }
  return LZ4_decompress_safe((const char *)stored, (char *)planes, (int)length, (int)expected) ==
         expected;
}

int gc_decode_image(const uint8_t *payload, long bytes, long width, long height, long first,
                    long last, int planar, uint8_t *out) {
  if (width < 1 || height < 1 || width > GC_MAXIMUM_WIDTH) return GC_CORRUPT;
  if (first < 0 || first > last || last > gc_band_count(width, height)) return GC_CORRUPT;
  if (!is_sound(payload, bytes, width, height)) return GC_CORRUPT;
  // One set of bit planes as stored, and one in usual order for bands whose phases lie apart.
  long bandRows = gc_band_rows(width), offset = 4 * gc_band_count(width, height);
  long room = gc_plane_bytes(bandRows < height ? bandRows : height, width) + GC_SLACK;
  uint8_t *planes = malloc((size_t)(2 * room));
  if (!planes) abort();  // as Swift's own allocations do
  uint8_t *joined = planes + room;
  int answer = GC_DONE;
  for (long index = 0; index < last; index++) {
    uint32_t word = word_at(payload + 4 * index);
    long length = word & GC_LENGTH_MASK, stored = offset;
    offset += length;
    if (index < first) continue;
    long top = index * bandRows, rows = height - top < bandRows ? height - top : bandRows;
    int hasPhases = (word & GC_PHASES) != 0;
    if ((hasPhases && gc_groups(rows) % 2 != 0) ||
        !read_planes(payload + stored, length, word, rows, width, planes)) {
      answer = GC_CORRUPT;
      break;
    }
    if (hasPhases) gc_join_phases(planes, gc_groups(rows), width, joined);
    gc_band band = {hasPhases ? joined : planes, width, rows,
                    out + top * width * (planar ? 1 : 3), planar ? width * height : 0};
    gc_restore_band(&band, (int)(word & (GC_VERTICAL | GC_HORIZONTAL)));
  }
  free(planes);
  return answer;
}
