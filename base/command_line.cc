#include "base/command_line.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace groupmamba {
namespace {

constexpr int kHelpColumn = 30;
constexpr int kHelpWidth = 84;

// What CLI11 puts before the name.
constexpr char kUnknownLine[] = "INI was not able to parse ";

// `text` broken at spaces into lines of at most `width` columns.
std::string Wrapped(absl::string_view text, size_t width) {
  std::string result;
  size_t column = 0;
  for (const absl::string_view word : absl::StrSplit(text, ' ')) {
    const bool fits = column + 1 + word.size() <= width;
    if (column > 0) result += fits ? ' ' : '\n';
    column = column > 0 && fits ? column + 1 + word.size() : word.size();
    absl::StrAppend(&result, word);
  }
  return result;
}

// Where CLI11 sees a section begin and end; only commands that can be chosen by
// a file need that, and ours cannot.
bool IsSectionMark(const CLI::ConfigItem& item) {
  return item.name == "++" || item.name == "--";
}

}  // namespace

std::string EnvironmentName(absl::string_view prefix,
                            absl::string_view option) {
  return absl::StrCat(
      prefix, absl::AsciiStrToUpper(absl::StrReplaceAll(option, {{"-", "_"}})));
}

void NameEnvironmentVariables(absl::string_view prefix, CLI::App* app) {
  for (CLI::Option* option : app->get_options()) {
    if (option->get_lnames().empty() || option == app->get_help_ptr() ||
        option == app->get_version_ptr() || option == app->get_config_ptr()) {
      continue;
    }
    option->envname(EnvironmentName(prefix, option->get_lnames().front()));
  }
}

std::vector<CLI::ConfigItem> SettingsFile::from_config(std::istream& in) const {
  std::vector<CLI::ConfigItem> items = CLI::ConfigTOML::from_config(in);
  items.erase(
      std::remove_if(
          items.begin(), items.end(),
          [this](const CLI::ConfigItem& item) {
            return IsSectionMark(item) ||
                   std::getenv(EnvironmentName(prefix_, item.name).c_str()) !=
                       nullptr;
          }),
      items.end());
  return items;
}

CLI::Option* AddSettingsFile(std::shared_ptr<SettingsFile> file,
                             const std::string& variable, CLI::App* app) {
  const char* named = std::getenv(variable.c_str());
  app->config_formatter(std::move(file));
  app->allow_config_extras(false);
  return app
      ->set_config("--config", named == nullptr ? "" : named,
                   absl::StrCat("TOML file with settings; also ", variable),
                   /*config_required=*/named != nullptr)
      ->type_name("FILE");
}

std::string DescribeUsageError(const CLI::ParseError& error) {
  if (dynamic_cast<const CLI::ConfigError*>(&error) != nullptr) {
    return absl::StrCat("--config: unknown or unreadable line: ",
                        absl::StripPrefix(error.what(), kUnknownLine));
  }
  if (dynamic_cast<const CLI::FileError*>(&error) != nullptr) {
    return absl::StrCat("--config: ", error.what());
  }
  return error.what();
}

std::string CheckDeviceName(const std::string& text) {
  int number = -1;
  if (text == "auto" || text == "cpu" || text == "cuda" ||
      (absl::StartsWith(text, "cuda:") &&
       absl::SimpleAtoi(text.substr(5), &number) && number >= 0)) {
    return "";
  }
  return absl::StrCat(text, " is none of auto, cpu, cuda, cuda:N");
}

HelpFormatter::HelpFormatter() { column_width(kHelpColumn); }

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  const std::string type = option->get_type_name();
  std::string text;
  if (!option->get_positional() && option->get_type_size() > 0) {
    absl::StrAppend(&text, " ", type.substr(0, type.find(':')));
  }
  if (!option->get_default_str().empty()) {
    absl::StrAppend(&text, " [", option->get_default_str(), "]");
  }
  if (option->get_expected_max() > 1) absl::StrAppend(&text, " ...");
  return text;
}

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
  return Wrapped(option->get_description(), kHelpWidth - kHelpColumn);
}

}  // namespace groupmamba
