#include "client/app.h"

#include <algorithm>
#include <istream>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/command_line.h"
#include "client/command.h"

namespace groupmamba::client {
namespace {

constexpr char kPrefix[] = "GROUPMAMBA_";

// Only the client's: a server's file or variable may be near, as in a container
// whose health check this is.
constexpr char kFileVariable[] = "GROUPMAMBA_CLIENT_CONFIG";

// A line at the top of the file is for every command that has such an option, a
// line under [load] for that command alone; the latter wins.
class CommandsFile : public SettingsFile {
 public:
  explicit CommandsFile(const CLI::App* app)
      : SettingsFile(kPrefix), app_(app) {}

  std::vector<CLI::ConfigItem> from_config(std::istream& in) const override {
    std::vector<CLI::ConfigItem> of_sections, of_top;
    for (CLI::ConfigItem& item : SettingsFile::from_config(in)) {
      if (!item.parents.empty()) {
        of_sections.push_back(std::move(item));
      } else if (Assign(&item)) {
        of_top.push_back(std::move(item));
      }
    }
    // CLI11 takes the first value that it sees.
    of_sections.insert(of_sections.end(), of_top.begin(), of_top.end());
    return of_sections;
  }

 private:
  // Makes a line of the top one of the command that runs. False: that command
  // does without it. What no command has stays as it is, for CLI11 to refuse.
  bool Assign(CLI::ConfigItem* item) const {
    const auto has = [item](const CLI::App* command) {
      return command->get_option_no_throw("--" + item->name) != nullptr;
    };
    for (const CLI::App* command : app_->get_subcommands()) {
      if (!has(command)) continue;
      item->parents = {command->get_name()};
      return true;
    }
    const std::vector<const CLI::App*> all = app_->get_subcommands(nullptr);
    return std::none_of(all.begin(), all.end(), has);
  }

  const CLI::App* const app_;
};

}  // namespace

int RunClient(const std::vector<std::string>& args, const Io& given) {
  Io io = given;
  io.command_line =
      absl::StrCat("groupmamba-client ", absl::StrJoin(args, " "));
  CLI::App app(
      "Classifies pictures with a groupmamba-server, measures its accuracy and "
      "loads it.",
      "groupmamba-client");
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_version_flag("--version", "groupmamba-client " GROUPMAMBA_VERSION);
  app.require_subcommand(1);
  app.fallthrough();  // --config may stand behind the command
  AddSettingsFile(std::make_shared<CommandsFile>(&app), kFileVariable, &app);
  app.footer(
      "groupmamba-client COMMAND --help explains a command, with examples.\n"
      "Every option can be given as an environment variable too, "
      "GROUPMAMBA_TOP_K for --top-k,\nor in the file: top-k = 3 at its top for "
      "every command that has the option, under\n[classify] for that one. A "
      "flag wins over a variable, a variable over the file.\n"
      "\n"
      "Exit codes: 0 all well; 1 some picture or call failed; 2 wrong usage; "
      "3 an objective was\nmissed; 4 the server cannot be reached.");
  const Command commands[] = {
      AddClassify(&app), AddEvaluate(&app), AddLoad(&app),  AddPlan(&app),
      AddModels(&app),   AddMetadata(&app), AddHealth(&app)};
  for (const Command& command : commands) {
    NameEnvironmentVariables(kPrefix, command.app);
  }
  // CLI11 takes the arguments last one first, and throws; nothing else here
  // does.
  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error, *io.out, *io.err);
    return Fail(io, kExitWrongUsage,
                DescribeUsageError(error) + "\nTry --help.");
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
