// Picture files, made on the spot.

#ifndef GROUPMAMBA_TESTS_TESTING_TEST_PICTURES_H_
#define GROUPMAMBA_TESTS_TESTING_TEST_PICTURES_H_

#include <cstdint>
#include <string>

namespace groupmamba {

// A PNG with a gradient that `seed` shifts.
std::string MakePng(int width, int height, int seed);

// The same file with another width and height in its header, whose checksum
// fits.
std::string WithPngSize(std::string png, uint32_t width, uint32_t height);

}  // namespace groupmamba

#endif  // GROUPMAMBA_TESTS_TESTING_TEST_PICTURES_H_
