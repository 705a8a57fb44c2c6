// What `load` prints. Pure functions. docs/load-report.md describes the JSON.

#ifndef GROUPMAMBA_CLIENT_LOAD_REPORT_H_
#define GROUPMAMBA_CLIENT_LOAD_REPORT_H_

#include <cstdint>
#include <string>

#include "client/load/runner.h"

namespace groupmamba::client {

// What a report says about the run besides its figures.
struct LoadContext {
  std::string target;
  std::string model;  // as GetModel names it
  int64_t model_version = 0;
  std::string payload;  // for example "12 pictures"
  int deadline_ms = 0;
};

// What is about to be done, on one line.
std::string LoadHeadline(const LoadPlan& plan, const LoadContext& context);

std::string LoadText(const LoadPlan& plan, const LoadContext& context,
                     const LoadResult& result);

// Several lines, with an end.
std::string LoadJson(const LoadPlan& plan, const LoadContext& context,
                     const LoadResult& result);

// Whether the offered load was what the plan says: at most 1 % of the calls
// were sent late. Where not, the figures tell more about this client than the
// server.
bool KeptItsPlan(const LoadResult& result);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_REPORT_H_
