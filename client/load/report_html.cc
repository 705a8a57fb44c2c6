// The report as a page.

#include "client/load/report.h"

namespace groupmamba::client {

std::string ReportHtml(const Json&, const std::string&) { return ""; }

}  // namespace groupmamba::client
