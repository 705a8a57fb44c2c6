// Where a figure comes from: every bench prints it before its results.
#ifndef GROUPMAMBA_BENCH_PROVENANCE_H_
#define GROUPMAMBA_BENCH_PROVENANCE_H_

#include <string>

namespace groupmamba::bench {

// "<processor>, <cores> cores, commit <hash>", with "unknown" for what cannot
// be found out; "-dirty" after the hash where the checkout has changes.
std::string Provenance();

}  // namespace groupmamba::bench

#endif  // GROUPMAMBA_BENCH_PROVENANCE_H_
