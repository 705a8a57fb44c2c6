// What the command lines of our programs have in common, on top of CLI11: a
// setting is a flag, an environment variable or a line `name = value` of a TOML
// file, and the earlier in that list wins; help that fits a terminal.

#ifndef GROUPMAMBA_BASE_COMMAND_LINE_H_
#define GROUPMAMBA_BASE_COMMAND_LINE_H_

#include <CLI/CLI.hpp>
#include <istream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace groupmamba {

// "top-k" -> "GROUPMAMBA_TOP_K", for the prefix "GROUPMAMBA_".
std::string EnvironmentName(absl::string_view prefix, absl::string_view option);

// Gives every option of `app` that has a long name, but for help and version,
// its environment variable.
void NameEnvironmentVariables(absl::string_view prefix, CLI::App* app);

// The lines of a settings file. CLI11 lets a file override the environment; we
// want it the other way round, so lines for which there is a variable are left
// out.
class SettingsFile : public CLI::ConfigTOML {
 public:
  explicit SettingsFile(std::string prefix) : prefix_(std::move(prefix)) {}

  std::vector<CLI::ConfigItem> from_config(std::istream& in) const override;

 private:
  const std::string prefix_;
};

// Declares --config FILE, which `file` reads; `variable` can name the file too.
// A file that is named must be there, and must hold no unknown name.
CLI::Option* AddSettingsFile(std::shared_ptr<SettingsFile> file,
                             const std::string& variable, CLI::App* app);

// What was wrong with a command line, in one sentence that names the setting.
std::string DescribeUsageError(const CLI::ParseError& error);

// A check of CLI11's: empty where `text` is auto, cpu, cuda or cuda:N, else
// what is wrong.
std::string CheckDeviceName(const std::string& text);

// CLI11's, with wrapped descriptions, and without what would drown them: the
// environment variable behind every option and the validators' own words. The
// program says once how variables are named; descriptions give the ranges.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter();

  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_BASE_COMMAND_LINE_H_
