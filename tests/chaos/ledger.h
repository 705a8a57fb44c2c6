// The books of a run: what the callers saw, what the server's journal says and
// what its counters say must agree.

#ifndef GROUPMAMBA_TESTS_CHAOS_LEDGER_H_
#define GROUPMAMBA_TESTS_CHAOS_LEDGER_H_

#include <cstdint>
#include <istream>
#include <string>
#include <vector>

#include "client/load/metrics_page.h"

namespace groupmamba::chaos {

// How a request ended, to its caller or to the server.
struct Entry {
  std::string id;
  std::string code;  // "OK", "CANCELLED", ...
  int64_t version = 0;
  std::string crc32;  // in hexadecimal
};

// The lines of a journal, a load client's or a server's; what was dropped
// before it was sent is left out. A line that is none becomes an entry without
// an id.
std::vector<Entry> ReadJournal(std::istream* in);

// What does not agree, a sentence each; empty: nothing.
std::vector<std::string> Reconcile(const std::vector<Entry>& callers,
                                   const std::vector<Entry>& server,
                                   const client::MetricsPage& page);

}  // namespace groupmamba::chaos

#endif  // GROUPMAMBA_TESTS_CHAOS_LEDGER_H_
