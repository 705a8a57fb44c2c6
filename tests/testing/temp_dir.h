// A folder of its own for one test, gone with it.

#ifndef GROUPMAMBA_TESTS_TESTING_TEMP_DIR_H_
#define GROUPMAMBA_TESTS_TESTING_TEMP_DIR_H_

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace groupmamba::testing {

class TempDir {
 public:
  TempDir() : path_(::testing::TempDir() + "/groupmamba.XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) std::abort();
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }

  // The path of `name`, a relative one, in this folder.
  std::string Path(absl::string_view name) const {
    return path_ + "/" + std::string(name);
  }

  // Writes a file, making the folders on the way; returns its path.
  std::string Write(absl::string_view name, absl::string_view content) const {
    const std::string path = Path(name);
    std::filesystem::create_directories(
        std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

 private:
  std::string path_;
};

inline std::string ReadFileForTest(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

}  // namespace groupmamba::testing

#endif  // GROUPMAMBA_TESTS_TESTING_TEMP_DIR_H_
