// Decodes and transforms pictures for pillow_parity_test.py.
//
// Reads lines "IN OUT RESIZE CROP_HEIGHT CROP_WIDTH bilinear|bicubic" from
// standard input; writes the transformed bytes to OUT, or nothing where IN
// cannot be decoded, and answers each line with "ok" or the error.

#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status_macros.h"
#include "model/image/decode.h"
#include "model/image/transform.h"

namespace groupmamba {
namespace {

absl::Status Dump(const std::string& line) {
  std::istringstream words(line);
  std::string in, out, filter;
  TransformSpec spec;
  words >> in >> out >> spec.resize >> spec.crop_height >> spec.crop_width >>
      filter;
  if (!words) return absl::InvalidArgumentError("not six words");
  spec.filter =
      filter == "bilinear" ? ResizeFilter::kBilinear : ResizeFilter::kBicubic;

  std::ifstream file(in, std::ios::binary);
  const std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
  GM_ASSIGN_OR_RETURN(const cv::Mat rgb,
                      DecodeImage(bytes, {}, *ThreadCpuClock::Get()));
  std::vector<uint8_t> result(3 * spec.crop_height * spec.crop_width);
  GM_RETURN_IF_ERROR(TransformImage(rgb, spec, absl::MakeSpan(result)));
  std::ofstream(out, std::ios::binary)
      .write(reinterpret_cast<const char*>(result.data()),
             static_cast<std::streamsize>(result.size()));
  return absl::OkStatus();
}

}  // namespace
}  // namespace groupmamba

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const absl::Status status = groupmamba::Dump(line);
    std::cout << (status.ok() ? "ok" : status.ToString()) << std::endl;
  }
}
