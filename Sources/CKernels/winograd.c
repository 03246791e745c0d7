// Winograd's minimal filtering F(4x4, 3x3) over channels-last images.
//
// With points 0, +-a, +-b, infinity for a = 1/sqrt 2, b = sqrt 2 (so ab = 1, a^2 + b^2 = 5/2) the
// transforms of one dimension are
//   B^T = [1 0 -5/2 0 1 0; 0 -b -2 a 1 0; 0 b -2 -a 1 0; 0 -a -1/2 b 1 0; 0 a -1/2 -b 1 0;
//          0 1 0 -5/2 0 1]
//   G   = [1 0 0; -2/3 (1, a, 1/2); -2/3 (1, -a, 1/2); 1/6 (1, b, 2); 1/6 (1, -b, 2); 0 0 1]
//   A^T = [1 1 1 1 1 0; 0 a -a b -b 0; 0 1/2 1/2 2 2 0; 0 a/2 -a/2 2b -2b 1]
// These points lose about half as much precision as the customary 0, +-1, +-2.
#include "include/ckernels.h"
#include "simd.h"

#define POINT_A 0.70710678118654752f
#define POINT_B 1.41421356237309505f

GW_KERNEL(void, gw_winograd_input,
          (const float *image, long height, long width, long channels, long tilesY,
           long tilesX, long first, long last, long origin, float *v, long stride),
          (image, height, width, channels, tilesY, tilesX, first, last, origin, v, stride)) {
  for (long t = first; t < last; t++) {
    long batch = t / (tilesY * tilesX), y0 = t / tilesX % tilesY * 4 - 1, x0 = t % tilesX * 4 - 1;
    const float *base = image + batch * height * width * channels;
    for (long c = 0; c < channels; c += 16) {
      v16 mid[6][6];
      for (int x = 0; x < 6; x++) {
        v16 d[6];
        for (int y = 0; y < 6; y++) {
          long py = y0 + y, px = x0 + x;
          int inside = py >= 0 && py < height && px >= 0 && px < width;
          d[y] = inside ? GW_LOAD(base + (py * width + px) * channels + c) : (v16){};
        }
        v16 even = d[4] - 2.0f * d[2], odd = POINT_A * d[3] - POINT_B * d[1];
        v16 even2 = d[4] - 0.5f * d[2], odd2 = POINT_B * d[3] - POINT_A * d[1];
        mid[0][x] = d[0] - 2.5f * d[2] + d[4];
        mid[1][x] = even + odd;
        mid[2][x] = even - odd;
        mid[3][x] = even2 + odd2;
        mid[4][x] = even2 - odd2;
        mid[5][x] = d[1] - 2.5f * d[3] + d[5];
      }
      float *out = v + (t - origin) * channels + c;
      for (int y = 0; y < 6; y++) {
        v16 *d = mid[y];
        v16 even = d[4] - 2.0f * d[2], odd = POINT_A * d[3] - POINT_B * d[1];
        v16 even2 = d[4] - 0.5f * d[2], odd2 = POINT_B * d[3] - POINT_A * d[1];
        GW_STORE(out + (6 * y + 0) * stride, d[0] - 2.5f * d[2] + d[4]);
        GW_STORE(out + (6 * y + 1) * stride, even + odd);
        GW_STORE(out + (6 * y + 2) * stride, even - odd);
        GW_STORE(out + (6 * y + 3) * stride, even2 + odd2);
        GW_STORE(out + (6 * y + 4) * stride, even2 - odd2);
        GW_STORE(out + (6 * y + 5) * stride, d[1] - 2.5f * d[3] + d[5]);
      }
    }
  }
}

GW_KERNEL(void, gw_winograd_output,
          (const float *m, long stride, int panel, const float *bias, float *image,
           long height, long width, long outputs, long output, long tilesY, long tilesX,
           long first, long last),
          (m, stride, panel, bias, image, height, width, outputs, output, tilesY, tilesX,
           first, last)) {
  for (long t = first; t < last; t++) {
    long batch = t / (tilesY * tilesX), y0 = t / tilesX % tilesY * 4, x0 = t % tilesX * 4;
    float *base = image + batch * height * width * outputs + output;
    for (int j = 0; j < panel; j += 16) {
      v16 mid[4][6];
      const float *from = m + (t - first) * panel + j;
      for (int x = 0; x < 6; x++) {
        v16 d[6];
        for (int y = 0; y < 6; y++) d[y] = GW_LOAD(from + (6 * y + x) * stride);
        v16 plus = d[1] + d[2], minus = d[1] - d[2], plus2 = d[3] + d[4], minus2 = d[3] - d[4];
        mid[0][x] = d[0] + plus + plus2;
        mid[1][x] = POINT_A * minus + POINT_B * minus2;
        mid[2][x] = 0.5f * plus + 2.0f * plus2;
        mid[3][x] = (0.5f * POINT_A) * minus + (2.0f * POINT_B) * minus2 + d[5];
      }
      v16 add = GW_LOAD(bias + output + j);
      for (int y = 0; y < 4 && y0 + y < height; y++) {
        v16 *d = mid[y];
        v16 plus = d[1] + d[2], minus = d[1] - d[2], plus2 = d[3] + d[4], minus2 = d[3] - d[4];
        float *out = base + ((y0 + y) * width + x0) * outputs + j;
        GW_STORE(out, d[0] + plus + plus2 + add);
        if (x0 + 1 < width)
          GW_STORE(out + outputs, POINT_A * minus + POINT_B * minus2 + add);
        if (x0 + 2 < width) GW_STORE(out + 2 * outputs, 0.5f * plus + 2.0f * plus2 + add);
        if (x0 + 3 < width)
          GW_STORE(out + 3 * outputs,
                   (0.5f * POINT_A) * minus + (2.0f * POINT_B) * minus2 + d[5] + add);
      }
    }
  }
}
