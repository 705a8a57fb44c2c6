// write_pictures FOLDER: sixteen JPEGs of 500x375 pixels, the size of
// ImageNet's usual photographs, for load tests.

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/testing/image_encoders.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: write_pictures FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  for (int seed = 1; seed <= 16; ++seed) {
    const groupmamba::Bytes jpeg = groupmamba::EncodeJpeg(
        groupmamba::MakePicture(500, 375, 3, seed), groupmamba::JpegOptions());
    std::ofstream file(folder / ("picture-" + std::to_string(seed) + ".jpg"),
                       std::ios::binary);
    file.write(reinterpret_cast<const char*>(jpeg.data()),
               static_cast<std::streamsize>(jpeg.size()));
    if (!file.flush()) {
      std::fprintf(stderr, "write_pictures: cannot write to %s\n", argv[1]);
      return 1;
    }
  }
}
