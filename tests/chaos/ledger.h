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

// What befell the server in a run.
struct Damage {
  int versions = 1;  // of the model, from 1; the last one is to be served
  int kills = 0;     // of decoders
  int dead = 0;      // decoders that nobody has needed since they were killed
};

// What a page does not say of a server that has got over the damage: it serves
// the newest version, no load failed, and each killed decoder but the dead is
// restarted once. Sentences as below.
std::vector<std::string> CheckRepair(const client::MetricsPage& page,
                                     const Damage& damage);

// Calls that the damage does not excuse: more of INTERNAL at the server than
// kills, OK from a version that never was, and codes that a call of its kind
// cannot end with. `loads`: of the load clients, which send good pictures that
// need no decoder. And no connection may have been ended by the frame guard: a
// machine that stood still is not a client's abuse. Sentences as below.
std::vector<std::string> CheckHarm(const std::vector<Entry>& callers,
                                   const std::vector<Entry>& loads,
                                   const std::vector<Entry>& server,
                                   const client::MetricsPage& page,
                                   const Damage& damage);

// What does not agree, a sentence each; empty: nothing.
std::vector<std::string> Reconcile(const std::vector<Entry>& callers,
                                   const std::vector<Entry>& server,
                                   const client::MetricsPage& page);

}  // namespace groupmamba::chaos

#endif  // GROUPMAMBA_TESTS_CHAOS_LEDGER_H_
