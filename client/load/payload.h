// What the calls of a load test carry: whole requests, built before it starts.

#ifndef GROUPMAMBA_CLIENT_LOAD_PAYLOAD_H_
#define GROUPMAMBA_CLIENT_LOAD_PAYLOAD_H_

#include <cstdint>
#include <istream>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/groupmamba/v1/classifier.pb.h"

namespace groupmamba::client {

using Payload = std::vector<std::shared_ptr<const v1::ClassifyRequest>>;

// Pictures that are held in memory, all together.
inline constexpr size_t kMaxPayloadBytes = 512 << 20;

// One request for each picture that `paths` name (client/picture_files.h), each
// with the other fields of `prototype`. INVALID_ARGUMENT, with a sentence for
// the user, where one cannot be read or all are more than kMaxPayloadBytes.
absl::StatusOr<Payload> FilePayload(const std::vector<std::string>& paths,
                                    const v1::ClassifyRequest& prototype,
                                    std::istream* standard_input);

// How a made picture travels.
enum class SyntheticForm { kJpeg, kRaw };

// Requests with made pictures (client/load/synthetic.h), functions of the seed.
// `sizes` is "WIDTHxHEIGHT" in pixels, or several with commas between: one
// request each. INVALID_ARGUMENT where one is no size, or does not fit into a
// message.
absl::StatusOr<Payload> SyntheticPayload(absl::string_view sizes,
                                         SyntheticForm form, uint64_t seed,
                                         const v1::ClassifyRequest& prototype);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_PAYLOAD_H_
