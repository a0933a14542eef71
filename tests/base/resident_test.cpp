#include "base/resident.hpp"

#include <gtest/gtest.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

namespace botburrow {
namespace {

[[maybe_unused]] std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// A page of a file, mapped privately, with the rights it is left with.
struct MappedFile {
  explicit MappedFile(int rights) {
    std::string name = "/tmp/bb-resident-XXXXXX";
    fd = ::mkstemp(name.data());
    ::unlink(name.c_str());
    const std::string content(kSize, 'f');
    EXPECT_EQ(::write(fd, content.data(), content.size()), static_cast<ssize_t>(kSize));
    at = static_cast<char*>(::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    last_rights = rights;
  }
  ~MappedFile() {
    ::munmap(at, kSize);
    ::close(fd);
  }
  void protect() { ::mprotect(at, kSize, last_rights); }
  static constexpr std::size_t kSize = 4096;
  int fd;
  int last_rights;
  char* at;
};

TEST(Resident, CodeGoesOnRunningAfterItsPagesWereReleased) {
  EXPECT_GT(release_startup_pages(), 0u);
  EXPECT_EQ(std::to_string(std::atoi("42")), "42");
  EXPECT_THROW(throw std::runtime_error("unwinding tables come back, too"), std::runtime_error);
}

TEST(Resident, WhatWasChangedStays) {
  // As the loader leaves relocated data: written once, then read-only.
  MappedFile mapped(PROT_READ);
  std::memset(mapped.at, 'c', MappedFile::kSize);
  mapped.protect();

  release_startup_pages();

  EXPECT_EQ(mapped.at[0], 'c');
}

TEST(Resident, WhatIsWritableStays) {
  MappedFile mapped(PROT_READ | PROT_WRITE);
  mapped.at[1] = 'w';

  release_startup_pages();

  EXPECT_EQ(mapped.at[1], 'w');
  EXPECT_EQ(mapped.at[2], 'f');
}

TEST(Resident, AHeapIsTrimmedWhereManyOfItsBytesAreFree) {
  constexpr std::size_t kMiB = 1u << 20;
  EXPECT_FALSE(worth_trimming({.used = kMiB, .free = 4 * kMiB - 1}));
  EXPECT_TRUE(worth_trimming({.used = kMiB, .free = 4 * kMiB}));
  EXPECT_TRUE(worth_trimming({.used = 80 * kMiB, .free = 10 * kMiB}));
  EXPECT_FALSE(worth_trimming({.used = 80 * kMiB, .free = 10 * kMiB - 1}));
}

// The sanitizers bring an allocator of their own.
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)

/// In a process of its own, whose heap holds nothing else.
[[noreturn]] void make_holes_and_trim() {
  std::vector<void*> kept, dropped;
  for (int i = 0; i < 200; ++i) {
    dropped.push_back(std::memset(std::malloc(100'000), 1, 100'000));
    kept.push_back(std::memset(std::malloc(1'000), 1, 1'000));
  }
  for (void* one : dropped)
    std::free(one);
  const auto before = resident_bytes();
  const bool trimmed = trim_heap();
  std::_Exit(trimmed && resident_bytes() + (10u << 20) < before ? 0 : 1);
}

TEST(Resident, AHeapFullOfHolesIsGivenBack) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(make_holes_and_trim(), testing::ExitedWithCode(0), "");
}

#endif

}  // namespace
}  // namespace botburrow
