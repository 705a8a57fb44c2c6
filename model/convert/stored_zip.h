// Zip archives whose entries are stored as they are, which is how PyTorch
// writes its checkpoints. Nothing is ever decompressed, so nothing can swell.
// Torch-free.
//
// Ours and not a library's: what is needed is a list of places, checked against
// each other; the libraries bring five decompressors along.
//
// Format (PKWARE's APPNOTE): local headers with the entries' bytes, a central
// directory that lists them, and its end record as the file's last 22 bytes.
// The records of zip64 that PyTorch adds are passed over: up to the 4 GiB that
// are read here they say nothing new.

#ifndef GROUPMAMBA_MODEL_CONVERT_STORED_ZIP_H_
#define GROUPMAMBA_MODEL_CONVERT_STORED_ZIP_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace groupmamba {

// The entries' bytes, by name; they lie in `file`.
using ZipEntries = std::map<std::string, absl::Span<const uint8_t>>;

// INVALID_ARGUMENT: not a zip archive; an entry that is compressed, encrypted,
// there twice, outside the file, in another's place, or whose CRC-32 is not
// that of its bytes; more than 60,000 entries; a comment behind the directory.
absl::StatusOr<ZipEntries> ReadStoredZip(absl::Span<const uint8_t> file);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_CONVERT_STORED_ZIP_H_
