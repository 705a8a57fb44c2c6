// groupmamba-convert: makes a model folder of somebody's checkpoint. The pickle
// in it is read as data; nothing of it is ever executed.

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/clock.h"
#include "base/command_line.h"
#include "base/status_macros.h"
#include "model/convert/checkpoint.h"
#include "model/convert/layout.h"
#include "model/engine.h"
#include "model/file.h"
#include "model/folder_writer.h"
#include "model/manifest.h"
#include "model/strict_json.h"
#include "model/weights.h"

namespace groupmamba {
namespace {

namespace fs = std::filesystem;

constexpr char kAbout[] =
    R"(Makes a model folder that groupmamba-server can serve of a GroupMamba checkpoint:
a state dict or a training checkpoint that torch.save wrote (PyTorch 1.6 and newer),
or a safetensors file. Nothing in the file is executed. Stem, widths, depths, ratios
and classes are read off the shapes; every tensor is checked by name.

  groupmamba-convert groupmamba_tiny_ema.pth --out models/tiny/1 --labels imagenet.txt

Exit codes: 0 the folder is written; 1 the checkpoint cannot be used; 2 wrong usage.)";

constexpr int64_t kMaxLabelFile = int64_t{1} << 30;

struct Settings {
  std::string in;
  std::string out;
  std::string state;
  std::string labels;
  InputConfig input;
  std::string interpolation = "bicubic";
  bool verify = false;
};

void AddFlags(CLI::App* app, Settings* s) {
  app->add_option("checkpoint", s->in,
                  "The checkpoint: .pth, .pt, .safetensors")
      ->required()
      ->type_name("FILE");
  app->add_option(
         "--out", s->out,
         "The folder to make, <models>/<name>/<version>; it must not be "
         "there yet")
      ->required()
      ->type_name("DIR");
  app->add_option(
         "--labels", s->labels,
         "A label a line, in the order of the classes; without it they "
         "are class-0000, ...")
      ->type_name("FILE");
  app->add_option("--state", s->state,
                  "Key of the weights in a training checkpoint; without it "
                  "model_ema, state_dict_ema, model or state_dict, the first "
                  "that is there")
      ->type_name("KEY");
  app->add_flag(
      "--verify", s->verify,
      "Load the result and run one picture before it is put in place");
  const std::string group = "How pictures become input (default: ImageNet's)";
  app->add_option("--resize", s->input.resize,
                  "Pixels of the short side after resizing; 32 to 2048")
      ->capture_default_str()
      ->group(group);
  app->add_option("--crop", s->input.crop,
                  "Pixels of the side that is cut out; 32 to --resize")
      ->capture_default_str()
      ->group(group);
  app->add_option("--interpolation", s->interpolation, "bicubic or bilinear")
      ->check(CLI::IsMember({"bicubic", "bilinear"}))
      ->capture_default_str()
      ->group(group);
  app->add_option("--mean", s->input.mean, "Of red, green, blue; 0 to 1")
      ->delimiter(',')
      ->capture_default_str()
      ->group(group);
  app->add_option("--std", s->input.std, "Of red, green, blue; above 0")
      ->delimiter(',')
      ->capture_default_str()
      ->group(group);
}

// Runs one picture, a gradient; its logits must be numbers.
absl::Status Verify(const ModelFolder& folder) {
  GM_ASSIGN_OR_RETURN(
      const std::unique_ptr<Engine> engine,
      LoadEngine(folder, {.device = "cpu", .precision = "fp32"}));
  const size_t side = folder.config.input.crop;
  std::vector<uint8_t> picture(3 * side * side);
  for (size_t i = 0; i < picture.size(); ++i) {
    picture[i] = static_cast<uint8_t>(i * 255 / picture.size());
  }
  std::vector<float> logits(folder.config.classes);
  const TimePoint from = RealClock::Get()->Now();
  GM_RETURN_IF_ERROR(engine->Infer({picture.data()}, absl::MakeSpan(logits)));
  const double ms = ToMilliseconds(RealClock::Get()->Now() - from);
  for (const float logit : logits) {
    if (!std::isfinite(logit)) {
      return absl::FailedPreconditionError(
          "the model's answer to a picture is not finite");
    }
  }
  absl::FPrintF(stderr, "verified: one picture, %.0f ms\n", ms);
  return absl::OkStatus();
}

// What was found, for who wonders.
void Tell(const Checkpoint& checkpoint, const std::string& prefix,
          const ModelConfig& config) {
  const std::string variant = VariantOf(config);
  absl::FPrintF(
      stderr,
      "%s%sstem %d; widths %s; depths %s; mlp ratios %s; %d classes; %.1f M "
      "parameters\n",
      variant, variant.empty() ? "" : ": ", config.stem_width,
      absl::StrJoin(config.widths, ", "), absl::StrJoin(config.depths, ", "),
      absl::StrJoin(config.mlp_ratios, ", "), config.classes,
      static_cast<double>(CountParameters(config)) / 1e6);
  if (!checkpoint.state.empty()) {
    absl::FPrintF(stderr, "the weights are the file's %s\n",
                  QuoteForMessage(checkpoint.state));
  }
  if (!prefix.empty()) {
    absl::FPrintF(stderr, "taken off every name: %s\n",
                  QuoteForMessage(prefix));
  }
  if (!checkpoint.passed_over.empty()) {
    std::vector<std::string> names;
    for (const std::string& name : checkpoint.passed_over) {
      if (names.size() == 20) {
        names.emplace_back("...");
        break;
      }
      names.push_back(QuoteForMessage(name));
    }
    absl::FPrintF(stderr, "passed over, never run: %s\n",
                  absl::StrJoin(names, ", "));
  }
}

absl::StatusOr<std::string> LabelsText(const Settings& settings, int classes) {
  if (settings.labels.empty()) {
    absl::FPrintF(stderr,
                  "without --labels the classes are called class-0000, ...\n");
    return NumberedLabels(classes);
  }
  GM_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes,
                      ReadRegularFile(settings.labels, kMaxLabelFile));
  return std::string(bytes.begin(), bytes.end());
}

// Writes the folder and reads it again as the server will.
absl::Status WriteAndCheck(const Settings& settings,
                           const std::string& folder) {
  GM_ASSIGN_OR_RETURN(Checkpoint checkpoint,
                      ReadCheckpoint(settings.in, settings.state));
  const auto in_file = [&](const absl::Status& status) {
    return InFile(settings.in, status);
  };
  const absl::StatusOr<std::string> prefix = StripPrefix(&checkpoint.tensors);
  if (!prefix.ok()) return in_file(prefix.status());
  const absl::StatusOr<ModelConfig> config =
      ConfigFromShapes(checkpoint.tensors, settings.input);
  if (!config.ok()) return in_file(config.status());
  Tell(checkpoint, *prefix, *config);
  GM_ASSIGN_OR_RETURN(const std::string labels,
                      LabelsText(settings, config->classes));
  GM_RETURN_IF_ERROR(
      WriteModelFolder(folder, *config, checkpoint.tensors, {}, labels));
  GM_ASSIGN_OR_RETURN(const ModelFolder written, ReadModelFolder(folder));
  GM_RETURN_IF_ERROR(ReadWeights(written).status());
  return settings.verify ? Verify(written) : absl::OkStatus();
}

absl::Status SystemError(absl::string_view action, const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat(action, " ", path));
}

// The folder is made under another name, which no server takes for a version,
// and appears in its place whole or not at all.
absl::Status Convert(const Settings& settings) {
  const fs::path out = fs::path(settings.out).lexically_normal();
  const fs::path target = out.has_filename() ? out : out.parent_path();
  if (fs::exists(fs::symlink_status(target))) {
    return absl::AlreadyExistsError(absl::StrCat(
        settings.out,
        " is there already; versions are not overwritten: take the "
        "next number"));
  }
  const fs::path parent = fs::absolute(target).parent_path();
  std::error_code error;
  const bool made = fs::create_directories(parent, error);
  std::string work = parent / ".convert.XXXXXX";
  if (mkdtemp(work.data()) == nullptr) {
    return SystemError("cannot make a folder in", parent);
  }
  absl::Cleanup cleaner = [&] {
    fs::remove_all(work, error);
    if (made) fs::remove(parent, error);  // if the result is not in it
  };
  // With the name and version that the result will have.
  const std::string folder =
      fs::path(work) / parent.filename() / target.filename();
  if (const absl::Status status = WriteAndCheck(settings, folder);
      !status.ok()) {
    return absl::Status(
        status.code(),
        absl::StrReplaceAll(status.message(), {{folder, settings.out}}));
  }
  chmod(folder.c_str(), 0755);
  if (renameat2(AT_FDCWD, folder.c_str(), AT_FDCWD, target.c_str(),
                RENAME_NOREPLACE) != 0) {
    return SystemError("cannot put the folder in place as", settings.out);
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  Settings settings;
  settings.input = PublishedVariant("tiny")->input;
  CLI::App app(kAbout, "groupmamba-convert");
  app.formatter(std::make_shared<HelpFormatter>());
  AddFlags(&app, &settings);
  app.set_version_flag("--version", GM_VERSION);
  app.set_help_flag("--help,-h", "Print this");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    absl::FPrintF(stderr, "groupmamba-convert: %s\nTry --help.\n",
                  DescribeUsageError(error));
    return 2;
  }
  settings.input.interpolation = settings.interpolation == "bilinear"
                                     ? Interpolation::kBilinear
                                     : Interpolation::kBicubic;
  if (const absl::Status status = Convert(settings); !status.ok()) {
    absl::FPrintF(stderr, "groupmamba-convert: %s\n", status.message());
    return 1;
  }
  absl::PrintF("%s\n", settings.out);
  return 0;
}

}  // namespace
}  // namespace groupmamba

int main(int argc, char** argv) { return groupmamba::Main(argc, argv); }
