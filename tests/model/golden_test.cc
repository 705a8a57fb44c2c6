// golden_test [--golden DIR]: every golden file of a folder against our
// network. Each file is a test of its own; a folder without any is an error.

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "tests/model/golden_comparison.h"

namespace groupmamba {
namespace {

class GoldenFile : public testing::Test {
 public:
  explicit GoldenFile(std::string path) : path_(std::move(path)) {}

  void TestBody() override {
    const absl::StatusOr<GoldenReport> report =
        CompareWithGolden(path_, SpecOf(BlockForm::kReleased));
    ASSERT_TRUE(report.ok()) << report.status();
    std::printf(
        "%d modules; largest difference: samples %.2g (%s), "
        "mean and deviation %.2g, logits %.2g\n",
        report->modules, report->sample, report->sample_module.c_str(),
        report->mean_std, report->logits);
    EXPECT_GT(report->modules, 0);
    EXPECT_TRUE(report->faults.empty()) << absl::StrJoin(report->faults, "\n");
  }

 private:
  const std::string path_;
};

int Run(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);  // takes its own flags out
  std::string folder = GM_SOURCE_DIR "/tests/data/golden";
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 2 && arguments[0] == "--golden") {
    folder = arguments[1];
  } else if (arguments.size() == 1 &&
             absl::StartsWith(arguments[0], "--golden=")) {
    folder = std::string(absl::StripPrefix(arguments[0], "--golden="));
  } else if (!arguments.empty()) {
    std::fprintf(stderr, "usage: golden_test [--golden DIR]\n");
    return 2;
  }
  const std::vector<std::string> paths = ListGoldens(folder);
  if (paths.empty()) {
    std::fprintf(stderr, "golden_test: no *.safetensors in %s\n",
                 folder.c_str());
    return 1;
  }
  for (const std::string& path : paths) {
    const std::string name = std::filesystem::path(path).stem();
    testing::RegisterTest(
        "Golden", name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
        [path]() -> GoldenFile* { return new GoldenFile(path); });
  }
  return RUN_ALL_TESTS();
}

}  // namespace
}  // namespace groupmamba

int main(int argc, char** argv) { return groupmamba::Run(argc, argv); }
