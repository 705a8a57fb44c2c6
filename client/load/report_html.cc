// The report as a page: the JSON, and the style and script of client/load/page
// that draw it.

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/load/report.h"

namespace groupmamba {

// From client/load/page, by cmake/embed.cmake.
extern const char kReportCss[];
extern const char kReportChartJs[];
extern const char kReportPageJs[];

namespace client {

std::string ReportHtml(const Json& json, const std::string& text) {
  // In a script a "</script>" of the data would end it; in a text, any tag.
  const std::string data =
      absl::StrReplaceAll(ToLine(json), {{"<", "\\u003c"}});
  const std::string plain =
      absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
  // The policy lets nothing in from outside, whatever the data holds.
  return absl::StrCat(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" "
      "content=\"default-src 'none'; style-src 'unsafe-inline'; script-src "
      "'unsafe-inline'\">\n<title>Load report</title>\n<style>\n",
      kReportCss, "</style>\n</head>\n<body>\n<main id=\"report\"></main>\n",
      "<noscript><pre>", plain, "</pre></noscript>\n",
      "<script type=\"application/json\" id=\"data\">", data,
      "</script>\n<script>\n", kReportChartJs, "</script>\n<script>\n",
      kReportPageJs, "</script>\n</body>\n</html>\n");
}

}  // namespace client
}  // namespace groupmamba
