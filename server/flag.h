// How a setting of the server is declared: the flag with its default and its
// range in the help.

#ifndef GROUPMAMBA_SERVER_FLAG_H_
#define GROUPMAMBA_SERVER_FLAG_H_

#include <CLI/CLI.hpp>
#include <string>

#include "absl/strings/str_cat.h"

namespace groupmamba {

// Bytes of what the flags in MB call one.
inline constexpr double kMebi = 1 << 20;

// `*value` holds the default.
template <typename T>
CLI::Option* AddFlag(CLI::App* app, const std::string& group,
                     const std::string& name, T* value,
                     const std::string& help) {
  return app->add_option("--" + name, *value, help)
      ->group(group)
      ->capture_default_str();
}

// A number from `low` to `high`, which the help tells.
template <typename T>
void AddNumberFlag(CLI::App* app, const std::string& group,
                   const std::string& name, T* value, double low, double high,
                   const std::string& help) {
  // Without an exponent.
  const auto plain = [](double number) {
    const auto whole = static_cast<int64_t>(number);
    return whole == number ? absl::StrCat(whole) : absl::StrCat(number);
  };
  AddFlag(app, group, name, value,
          absl::StrCat(help, "; ", plain(low), " to ", plain(high)))
      ->check(CLI::Range(static_cast<T>(low), static_cast<T>(high)));
}

// For CLI::Option::check: HOST:PORT, as far as it can be told without
// listening. What is wrong with it, or nothing.
std::string CheckAddress(const std::string& text);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_FLAG_H_
