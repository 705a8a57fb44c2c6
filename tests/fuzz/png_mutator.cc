// Changes PNG files so that they get past the checksums: a chunk's data are
// changed, or what the IDAT chunks hold inflated, and lengths and checksums are
// made to fit.

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

constexpr size_t kSignature = 8;
constexpr size_t kFrame = 12;  // length, type, checksum
constexpr uLong kMaxInflated = 1 << 18;

using Bytes = std::vector<uint8_t>;

struct Chunk {
  std::string type;
  Bytes data;
};

uint32_t Read32(const uint8_t* p) {
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 |
         p[3];
}

void Append32(uint32_t value, Bytes* out) {
  for (const int shift : {24, 16, 8, 0}) {
    out->push_back(static_cast<uint8_t>(value >> shift));
  }
}

// As far as lengths fit the file.
std::vector<Chunk> ReadChunks(const uint8_t* data, size_t size) {
  std::vector<Chunk> chunks;
  size_t at = kSignature;
  while (size >= at + kFrame && Read32(data + at) <= size - at - kFrame) {
    const uint8_t* const from = data + at + 8;
    const uint32_t length = Read32(data + at);
    chunks.push_back({std::string(from - 4, from), Bytes(from, from + length)});
    at += kFrame + length;
  }
  return chunks;
}

Bytes WriteChunks(const uint8_t* signature, const std::vector<Chunk>& chunks) {
  Bytes file(signature, signature + kSignature);
  for (const Chunk& chunk : chunks) {
    Append32(static_cast<uint32_t>(chunk.data.size()), &file);
    const size_t from = file.size();
    file.insert(file.end(), chunk.type.begin(), chunk.type.end());
    file.insert(file.end(), chunk.data.begin(), chunk.data.end());
    Append32(static_cast<uint32_t>(crc32(
                 0, file.data() + from, static_cast<uInt>(file.size() - from))),
             &file);
  }
  return file;
}

void Mutate(Bytes* bytes, size_t room) {
  const size_t size = bytes->size();
  bytes->resize(size + room);
  bytes->resize(LLVMFuzzerMutate(bytes->data(), size, bytes->size()));
}

// Changes the pixels and filters rather than the compressed stream.
void MutateInflated(Bytes* idat, size_t room) {
  Bytes raw(kMaxInflated);
  uLongf length = kMaxInflated;
  if (uncompress(raw.data(), &length, idat->data(), idat->size()) != Z_OK) {
    Mutate(idat, room);
    return;
  }
  raw.resize(length);
  Mutate(&raw, room);
  length = compressBound(raw.size());
  idat->resize(length);
  compress2(idat->data(), &length, raw.data(), raw.size(), 1);
  idat->resize(length);
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                          size_t max_size, unsigned int seed) {
  std::vector<Chunk> chunks = ReadChunks(data, size);
  if (chunks.empty() || seed % 8 == 0) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  const size_t room = std::min<size_t>(max_size - size, 64);
  Chunk& chunk = chunks[seed / 8 % chunks.size()];
  if (chunk.type == "IDAT" && seed % 2 == 0) {
    MutateInflated(&chunk.data, room);
  } else {
    Mutate(&chunk.data, room);
  }
  const Bytes file = WriteChunks(data, chunks);
  if (file.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::copy(file.begin(), file.end(), data);
  return file.size();
}
