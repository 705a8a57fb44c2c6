// Made pictures: a function of size and seed, for tests that have none of their
// own.

#ifndef GROUPMAMBA_CLIENT_LOAD_SYNTHETIC_H_
#define GROUPMAMBA_CLIENT_LOAD_SYNTHETIC_H_

#include <cstdint>
#include <string>

namespace groupmamba::client {

// Pixels, 8-bit RGB, rows from top to bottom: smooth gradients under noise.
// Both sides are at least 1, and their product fits into memory.
std::string MakePixels(uint32_t width, uint32_t height, uint64_t seed);

// Such pixels as a JPEG of quality 90. Sides of 1 to 65500.
std::string EncodeJpeg(const std::string& rgb, uint32_t width, uint32_t height);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_SYNTHETIC_H_
