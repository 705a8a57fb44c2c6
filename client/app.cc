#include "client/app.h"

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "client/command.h"

namespace groupmamba::client {
namespace {

constexpr int kHelpColumn = 30;
constexpr int kHelpWidth = 84;

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

// CLI11's, with wrapped descriptions, and without what would drown them: the
// environment variable behind every option (the footer says once how they are
// named) and the validators' own words (the descriptions give the ranges).
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(kHelpColumn); }

  std::string make_option_opts(const CLI::Option* option) const override {
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

  std::string make_option_desc(const CLI::Option* option) const override {
    return Wrapped(option->get_description(), kHelpWidth - kHelpColumn);
  }
};

// --top-k -> GROUPMAMBA_TOP_K, for every option that has a long name.
void NameEnvironmentVariables(CLI::App* app) {
  for (CLI::Option* option : app->get_options()) {
    if (option->get_lnames().empty() || option == app->get_help_ptr()) continue;
    option->envname(absl::StrCat(
        "GROUPMAMBA_", absl::AsciiStrToUpper(absl::StrReplaceAll(
                           option->get_lnames().front(), {{"-", "_"}}))));
  }
}

}  // namespace

int RunClient(const std::vector<std::string>& args, const Io& io) {
  CLI::App app(
      "Classifies pictures with a groupmamba-server, measures its accuracy and "
      "loads it.",
      "groupmamba-client");
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_version_flag("--version", "groupmamba-client " GROUPMAMBA_VERSION);
  app.require_subcommand(1);
  app.footer(
      "groupmamba-client COMMAND --help explains a command, with examples.\n"
      "Every option can be given as an environment variable too: "
      "GROUPMAMBA_TARGET for --target;\na flag wins.\n"
      "\n"
      "Exit codes: 0 all well; 1 some picture or call failed; 2 wrong usage; "
      "4 the server\ncannot be reached.");
  const Command commands[] = {AddClassify(&app), AddEvaluate(&app),
                              AddLoad(&app),     AddModels(&app),
                              AddMetadata(&app), AddHealth(&app)};
  for (const Command& command : commands) {
    NameEnvironmentVariables(command.app);
  }
  // CLI11 takes the arguments last one first, and throws; nothing else here
  // does.
  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::ParseError& error) {
    return app.exit(error, *io.out, *io.err) == 0 ? kExitOk : kExitWrongUsage;
  }
  const auto chosen = std::find_if(
      std::begin(commands), std::end(commands),
      [](const Command& command) { return command.app->parsed(); });
  const int code = chosen->run(io);
  if (!io.out->flush()) {
    return Fail(io, kExitSomeFailed, "the output could not be written");
  }
  return code;
}

}  // namespace groupmamba::client
