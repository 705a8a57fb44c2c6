// The report as a page: the JSON, and the script that draws it, report.js.

#include "client/load/report.h"
#include "page/page.h"

namespace groupmamba {

// From report.js, by cmake/embed.cmake.
extern const char kReportJs[];

namespace client {

std::string ReportHtml(const Json& json, const std::string& text) {
  return HtmlPage({.title = "Load report",
                   .json = ToLine(json),
                   .text = text,
                   .script = kReportJs});
}

}  // namespace client
}  // namespace groupmamba
