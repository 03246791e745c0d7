// What the codec benchmark's files share: pictures, candidates, and the time of one thread.
#ifndef BENCH_H
#define BENCH_H
#include <stdint.h>
#include <stdlib.h>

typedef struct {
  long width, height, bytes;  // of pixels
  uint8_t *rgb;
} picture;

// One way to store a picture. `encode` returns the bytes it wrote into `room` (always enough: 2 times
// the pixels and 64 KB); `decode` fills `rgb`, interleaved, and returns 0 when it cannot.
typedef struct {
  const char *name;
  long (*encode)(const picture *image, uint8_t *room);
  int (*decode)(const uint8_t *payload, long bytes, const picture *image, uint8_t *rgb);
  int level;  // most machine level that the decoder may use
} candidate;

extern const candidate candidates[];
extern const int candidate_count;

double thread_seconds(void);
#endif
