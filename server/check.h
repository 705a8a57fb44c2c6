// `groupmamba-server check`: would the server start with these settings?

#ifndef GROUPMAMBA_SERVER_CHECK_H_
#define GROUPMAMBA_SERVER_CHECK_H_

#include <string>
#include <vector>

#include "server/options.h"

namespace groupmamba {

struct CheckResult {
  std::vector<std::string> good;   // sentences about what was found
  std::vector<std::string> wrong;  // about what keeps it from serving
};

// Looks at everything that the settings name, without serving: devices, models,
// with their labels and the hash and tensors of their weights, certificates and
// tokens, and the files to be written, which are not made. Whether an address
// is free is not tried.
CheckResult CheckSettings(const Settings& settings);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_CHECK_H_
