#include "client/app.h"

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/command.h"

namespace groupmamba::client {
namespace {

// CLI11's, less the environment variable behind every option: the footer says
// once how they are named.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(30); }

  std::string make_option_opts(const CLI::Option* option) const override {
    std::string text;
    if (!option->get_type_name().empty() && option->get_type_size() > 0) {
      absl::StrAppend(&text, " ", option->get_type_name());
    }
    if (!option->get_default_str().empty()) {
      absl::StrAppend(&text, " [", option->get_default_str(), "]");
    }
    if (option->get_expected_max() > 1) absl::StrAppend(&text, " ...");
    return text;
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
      "GROUPMAMBA_TARGET for --target.\n"
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
