// Pages that open offline: data in JSON, and what draws it, in one file.

#ifndef GROUPMAMBA_PAGE_PAGE_H_
#define GROUPMAMBA_PAGE_PAGE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace groupmamba {

struct PageContent {
  absl::string_view title;   // plain text
  absl::string_view json;    // what the script draws, JSON
  absl::string_view text;    // the same in words, where no script runs
  absl::string_view script;  // JavaScript of ours; may use page/chart.js
};

// HTML with our style (page/page.css), the charts (page/chart.js) and then the
// script, which finds the JSON in the element "data" and fills the element
// "report". Nothing is let in from outside, whatever the content holds.
std::string HtmlPage(const PageContent& content);

}  // namespace groupmamba

#endif  // GROUPMAMBA_PAGE_PAGE_H_
