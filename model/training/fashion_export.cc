// fashion-export: Fashion-MNIST as folders of PNG files,
// OUT/<label>/<index>.png, for `groupmamba-client evaluate`.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "model/training/fashion.h"
#include "model/training/png_file.h"

namespace groupmamba::training {
namespace {

struct ExportOptions {
  std::string data = kFashionFolder;
  std::string out;
  FashionSplit split = FashionSplit::kTest;
  int64_t limit = 0;
};

absl::Status Export(const ExportOptions& options) {
  GM_ASSIGN_OR_RETURN(const FashionData data,
                      ReadFashion(options.data, options.split, options.limit));
  for (absl::string_view label : kFashionLabels) {
    std::error_code error;
    std::filesystem::create_directories(absl::StrCat(options.out, "/", label),
                                        error);
    if (error) {
      return absl::UnavailableError(
          absl::StrCat(options.out, ": cannot be created: ", error.message()));
    }
  }
  for (int64_t i = 0; i < data.count(); ++i) {
    GM_RETURN_IF_ERROR(
        WriteGrayPng(absl::StrFormat("%s/%s/%05d.png", options.out,
                                     kFashionLabels[data.labels[i]], i),
                     kFashionSide, kFashionSide, data.picture(i)));
  }
  std::fprintf(stderr, "wrote %lld pictures to %s\n",
               static_cast<long long>(data.count()), options.out.c_str());
  return absl::OkStatus();
}

}  // namespace
}  // namespace groupmamba::training

int main(int argc, char** argv) {
  namespace training = groupmamba::training;
  training::ExportOptions options;
  CLI::App app(
      "Writes Fashion-MNIST (Debian's package dataset-fashion-mnist) as PNG "
      "files,\nOUT/<label>/<index>.png, 28x28 gray, for groupmamba-client "
      "evaluate.",
      "fashion-export");
  app.add_option("out,--out", options.out,
                 "Folder to write to; made if missing")
      ->required();
  app.add_option("--data", options.data, "Folder of the four IDX files")
      ->capture_default_str();
  std::string split = "test";
  app.add_option("--split", split, "test (10,000 pictures) or train (60,000)")
      ->check(CLI::IsMember({"test", "train"}))
      ->capture_default_str();
  app.add_option("--limit", options.limit, "The first N pictures; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (split == "train") {
    options.split = training::FashionSplit::kTrain;
  }
  if (absl::Status status = training::Export(options); !status.ok()) {
    std::fprintf(stderr, "fashion-export: %s\n",
                 std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
