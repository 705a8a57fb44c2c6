#include "model/training/idx.h"

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"

namespace groupmamba::training {
namespace {

constexpr int kMaxDimensions = 4;
constexpr uint8_t kUnsignedByte = 0x08;
constexpr size_t kChunk = size_t{1} << 20;

struct GzClose {
  void operator()(gzFile_s* file) const { gzclose_r(file); }
};
using GzFile = std::unique_ptr<gzFile_s, GzClose>;

absl::Status Wrong(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

// Appends exactly `count` bytes, a chunk at a time.
absl::Status ReadExactly(gzFile file, const std::string& path, size_t count,
                         std::vector<uint8_t>* out) {
  while (count > 0) {
    const size_t step = std::min(count, kChunk);
    const size_t old_size = out->size();
    out->resize(old_size + step);
    const int got = gzread(file, out->data() + old_size, step);
    if (got < 0) {
      return Wrong(path, "corrupt gzip data");
    }
    if (static_cast<size_t>(got) < step) {
      return Wrong(path, "truncated");
    }
    count -= step;
  }
  return absl::OkStatus();
}

int64_t BigEndian32(const uint8_t* bytes) {
  return int64_t{bytes[0]} << 24 | int64_t{bytes[1]} << 16 |
         int64_t{bytes[2]} << 8 | int64_t{bytes[3]};
}

// Reads the sizes; returns how many values they announce.
absl::StatusOr<int64_t> ReadShape(gzFile file, const std::string& path,
                                  int64_t max_bytes,
                                  std::vector<int64_t>* shape) {
  std::vector<uint8_t> header;
  GM_RETURN_IF_ERROR(ReadExactly(file, path, 4, &header));
  const int dimensions = header[3];
  if (header[0] != 0 || header[1] != 0) {
    return Wrong(path, "not an IDX file");
  }
  if (header[2] != kUnsignedByte) {
    return Wrong(path, "the values are not unsigned bytes");
  }
  if (dimensions < 1 || dimensions > kMaxDimensions) {
    return Wrong(path, absl::StrCat(dimensions, " dimensions; 1 to ",
                                    kMaxDimensions, " are read"));
  }
  GM_RETURN_IF_ERROR(ReadExactly(file, path, 4 * dimensions, &header));
  int64_t count = 1;
  for (int i = 0; i < dimensions; ++i) {
    const int64_t size = BigEndian32(&header[4 + 4 * i]);
    if (size == 0) {
      return Wrong(path, absl::StrCat("dimension ", i, " is zero"));
    }
    if (size > max_bytes / count) {
      return Wrong(path, absl::StrCat("more than ", max_bytes, " values"));
    }
    count *= size;
    shape->push_back(size);
  }
  return count;
}

}  // namespace

absl::StatusOr<IdxArray> ReadIdx(const std::string& path, int64_t max_bytes) {
  GzFile file(gzopen(path.c_str(), "rb"));
  if (file == nullptr) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot be opened"));
  }
  IdxArray array;
  GM_ASSIGN_OR_RETURN(const int64_t count,
                      ReadShape(file.get(), path, max_bytes, &array.shape));
  GM_RETURN_IF_ERROR(ReadExactly(file.get(), path, count, &array.values));
  uint8_t extra;
  // The read past the end also makes zlib check the trailing CRC.
  const int more = gzread(file.get(), &extra, 1);
  int error = Z_OK;
  gzerror(file.get(), &error);
  if (more < 0 || (error != Z_OK && error != Z_STREAM_END)) {
    return Wrong(path, "corrupt or truncated gzip data");
  }
  if (more > 0) {
    return Wrong(path, "bytes after the last value");
  }
  return array;
}

}  // namespace groupmamba::training
