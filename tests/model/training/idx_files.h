// Writes IDX files for tests.

#ifndef GROUPMAMBA_TESTS_MODEL_TRAINING_IDX_FILES_H_
#define GROUPMAMBA_TESTS_MODEL_TRAINING_IDX_FILES_H_

#include <zlib.h>

#include <cstdint>
#include <initializer_list>
#include <string>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace groupmamba::training {

// The header of an IDX file of unsigned bytes, then `values`.
inline std::string IdxBytes(std::initializer_list<uint32_t> shape,
                            absl::string_view values) {
  std::string bytes = {0, 0, 8, static_cast<char>(shape.size())};
  for (uint32_t size : shape) {
    for (int shift : {24, 16, 8, 0}) {
      bytes.push_back(static_cast<char>(size >> shift));
    }
  }
  return bytes.append(values.data(), values.size());
}

inline void WriteGzip(const std::string& path, absl::string_view bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(gzwrite(file, bytes.data(), bytes.size()),
            static_cast<int>(bytes.size()));
  ASSERT_EQ(gzclose(file), Z_OK);
}

// The four files of a small Fashion-MNIST in `folder`: pictures of 28x28 whose
// pixels all differ a little, `count` in each split, labels 0, 1, ... 9, 0, ...
inline void WriteFashion(const std::string& folder, int count) {
  std::string pixels, labels;
  for (int i = 0; i < count; ++i) {
    for (int p = 0; p < 28 * 28; ++p) {
      pixels.push_back(static_cast<char>((i * 37 + p * 11) % 256));
    }
    labels.push_back(static_cast<char>(i % 10));
  }
  const auto n = static_cast<uint32_t>(count);
  for (const char* split : {"train", "t10k"}) {
    const std::string stem = folder + "/" + split;
    WriteGzip(stem + "-images-idx3-ubyte.gz", IdxBytes({n, 28, 28}, pixels));
    WriteGzip(stem + "-labels-idx1-ubyte.gz", IdxBytes({n}, labels));
  }
}

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_TESTS_MODEL_TRAINING_IDX_FILES_H_
