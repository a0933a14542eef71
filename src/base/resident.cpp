#include "base/resident.hpp"

#include <malloc.h>
#include <sys/mman.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

namespace botburrow {
namespace {

struct Mapping {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  bool of_file = false;
  bool writable = true;
  std::size_t resident_kib = 0;
  std::size_t changed_kib = 0;

  bool only_mirrors_its_file() const {
    return of_file && !writable && changed_kib == 0 && resident_kib > 0;
  }
};

std::vector<Mapping> read_mappings() {
  std::vector<Mapping> all;
  std::FILE* file = std::fopen("/proc/self/smaps", "re");
  if (file == nullptr) return all;
  char line[1024];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    std::uintptr_t begin = 0, end = 0;
    char rights[5] = {}, path[2] = {};
    std::size_t kib = 0;
    const int words = std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %*s %1s", &begin,
                                  &end, rights, path);
    if (words >= 3) {
      all.push_back({.begin = begin,
                     .end = end,
                     .of_file = words == 4 && path[0] == '/',
                     .writable = rights[1] == 'w' || rights[3] != 'p'});
    } else if (!all.empty() && std::sscanf(line, "Rss: %zu", &kib) == 1) {
      all.back().resident_kib = kib;
    } else if (!all.empty() && (std::sscanf(line, "Anonymous: %zu", &kib) == 1 ||
                                std::sscanf(line, "Swap: %zu", &kib) == 1)) {
      // Changed pages that were swapped out are not resident, and would be lost all the same.
      all.back().changed_kib += kib;
    }
  }
  std::fclose(file);
  return all;
}

}  // namespace

std::size_t release_startup_pages() {
  std::size_t bytes = 0;
  for (const auto& mapping : read_mappings()) {
    if (!mapping.only_mirrors_its_file()) continue;
    auto* at = reinterpret_cast<void*>(mapping.begin);
    if (::madvise(at, mapping.end - mapping.begin, MADV_DONTNEED) == 0)
      bytes += mapping.resident_kib * 1024;
  }
  return bytes;
}

bool worth_trimming(HeapUse heap) {
  constexpr std::size_t kWorthwhile = 4u << 20;
  return heap.free >= kWorthwhile && heap.free >= heap.used / 8;
}

bool trim_heap() {
  const auto heap = ::mallinfo2();
  if (!worth_trimming({.used = heap.uordblks, .free = heap.fordblks})) return false;
  return ::malloc_trim(0) == 1;
}

void share_one_heap() {
  ::mallopt(M_ARENA_MAX, 1);
}

}  // namespace botburrow
