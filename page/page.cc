#include "page/page.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace groupmamba {

// From the files beside this one, by cmake/embed.cmake.
extern const char kPageCss[];
extern const char kPageChartJs[];

namespace {

std::string Escaped(absl::string_view text) {
  return absl::StrReplaceAll(text,
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
}

}  // namespace

std::string HtmlPage(const PageContent& content) {
  // In a script a "</script>" of the data would end it; in a text, any tag.
  const std::string data =
      absl::StrReplaceAll(content.json, {{"<", "\\u003c"}});
  // The policy lets nothing in from outside, whatever the data holds.
  return absl::StrCat(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" "
      "content=\"default-src 'none'; style-src 'unsafe-inline'; script-src "
      "'unsafe-inline'\">\n<title>",
      Escaped(content.title), "</title>\n<style>\n", kPageCss,
      "</style>\n</head>\n<body>\n<main id=\"report\"></main>\n",
      "<noscript><pre>", Escaped(content.text), "</pre></noscript>\n",
      "<script type=\"application/json\" id=\"data\">", data,
      "</script>\n<script>\n", kPageChartJs, "</script>\n<script>\n",
      content.script, "</script>\n</body>\n</html>\n");
}

}  // namespace groupmamba
