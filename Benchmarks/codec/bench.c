// Sizes and speeds of image codecs on sets of pictures, one thread.
//
//     bench ROUNDS NAME=FILE ...
//
// A file holds pictures one after the other: width and height as 32-bit numbers, then rgb. Candidates
// take turns in every round, so that a busy machine slows all of them; time is that of the thread, and
// the best round counts. Every picture is compared after every first decoding. The last line has figures and
// bounds; exits with 1 when one falls short.
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "bench.h"
#include "../../Sources/CCodec/include/ccodec.h"

enum { MAXIMUM_PICTURES = 4096 };
static const double fastest_bound = 2.0, portable_bound = 1.2, size_bound = 1.15;

double thread_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static long load(const char *path, picture *pictures) {
  FILE *file = fopen(path, "rb");
  long count = 0;
  uint32_t size[2];
  while (file && count < MAXIMUM_PICTURES && fread(size, 4, 2, file) == 2) {
    picture p = {size[0], size[1], 3l * size[0] * size[1], NULL};
    p.rgb = malloc((size_t)p.bytes);
    if (fread(p.rgb, 1, (size_t)p.bytes, file) != (size_t)p.bytes) exit(2);
    pictures[count++] = p;
  }
  if (!count) fprintf(stderr, "%s holds no pictures\n", path), exit(2);
  fclose(file);
  return count;
}

typedef struct { double ratio, encode, decode; } figures;

// Encodes everything once and checks that it comes back; payloads stay in `payloads`.
static figures fill(const candidate *c, const picture *pictures, long count, uint8_t **payloads, long *sizes,
                    uint8_t *output) {
  double pixels = 0, stored = 0;
  long longest = 0;
  for (long i = 0; i < count; i++) longest = pictures[i].bytes > longest ? pictures[i].bytes : longest;
  uint8_t *room = malloc(2 * (size_t)longest + 65536);
  c->encode(&pictures[0], room);
  double start = thread_seconds(), seconds = 0;
  for (long i = 0; i < count; i++) {
    start = thread_seconds();
    sizes[i] = c->encode(&pictures[i], room);
    seconds += thread_seconds() - start;
    payloads[i] = malloc((size_t)sizes[i]);
    memcpy(payloads[i], room, (size_t)sizes[i]);
    memset(output, 0x55, (size_t)pictures[i].bytes);
    if (!c->decode(payloads[i], sizes[i], &pictures[i], output) ||
        memcmp(output, pictures[i].rgb, (size_t)pictures[i].bytes))
      fprintf(stderr, "%s: picture %ld does not come back\n", c->name, i), exit(1);
    pixels += (double)pictures[i].bytes;
    stored += (double)sizes[i];
  }
  free(room);
  return (figures){pixels / stored, pixels / seconds * 1e-6, 0};
}

static void measure(const picture *pictures, long count, int rounds, figures *all) {
  uint8_t **payloads = calloc((size_t)(candidate_count * count), sizeof *payloads);
  long *sizes = calloc((size_t)(candidate_count * count), sizeof *sizes), total = 0;
  for (long i = 0; i < count; i++) total += pictures[i].bytes;
  uint8_t *output = malloc((size_t)total);
  for (int c = 0; c < candidate_count; c++)
    all[c] = fill(&candidates[c], pictures, count, payloads + c * count, sizes + c * count, output);
  for (int round = 0; round < rounds; round++)
    for (int c = 0; c < candidate_count; c++) {
      gc_limit_level(candidates[c].level);
      uint8_t *at = output;
      double start = thread_seconds();
      for (long i = 0; i < count; i++) {
        candidates[c].decode(payloads[c * count + i], sizes[c * count + i], &pictures[i], at);
        at += pictures[i].bytes;
      }
      double rate = (double)total / (thread_seconds() - start) * 1e-6;
      if (rate > all[c].decode) all[c].decode = rate;
      gc_limit_level(GC_AVX512);
    }
  for (long i = 0; i < candidate_count * count; i++) free(payloads[i]);
  free(payloads);
  free(sizes);
  free(output);
}

int main(int argc, char **argv) {
  static picture pictures[MAXIMUM_PICTURES];
  figures all[32];
  int best = gc_limit_level(GC_AVX512), png = candidate_count - 1, portable = png - 1, fastest = png - 3;
  double fast = 1e9, slow = 1e9, size = 0;
  for (int set = 2; set < argc; set++) {
    char *path = strchr(argv[set], '=');
    if (!path) return 2;
    *path++ = 0;
    long count = load(path, pictures);
    measure(pictures, count, atoi(argv[1]), all);
    printf("\n%s: %ld pictures\n\n| codec | ratio | size / PNG | decode MB/s | encode MB/s |\n|---|---|---|---|---|\n",
           argv[set], count);
    for (int c = 0; c < candidate_count; c++)
      if (candidates[c].level <= best || c == fastest - 0 || c < fastest || c == png)
        printf("| %s | %.2f | %.3f | %.0f | %.0f |\n", candidates[c].name, all[c].ratio,
               all[png].ratio / all[c].ratio, all[c].decode, all[c].encode);
    double share = all[png].ratio / all[fastest].ratio;
    if (all[fastest].decode < fast) fast = all[fastest].decode;
    if (all[portable].decode < slow) slow = all[portable].decode;
    if (share > size) size = share;
    for (long i = 0; i < count; i++) free(pictures[i].rgb);
  }
  int has_vectors = best == GC_AVX512;
  int passed = (!has_vectors || fast >= fastest_bound * 1e3) && slow >= portable_bound * 1e3 && size <= size_bound;
  printf("\nshow-codec: %s: lossless; slowest set decodes %.2f GB/s a core with %s (bound %.1f), %.2f portable (bound "
         "%.1f); largest size %.3f of PNG's (bound %.2f)\n",
         passed ? "ok" : "SHORT", fast * 1e-3, has_vectors ? "AVX-512" : "what this machine has, no AVX-512",
         has_vectors ? fastest_bound : 0.0, slow * 1e-3, portable_bound, size, size_bound);
  return passed ? 0 : 1;
}
