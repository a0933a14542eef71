#pragma once

#include "queue/backup.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace botburrow::cli {

/// The file of `backup`: a line that says what it is, one with its contents as JSON, one with the
/// sum of that, then the keys of Redis and the Hub's database as they are.
struct BackupHeader {
  int format = 1;
  std::string program;     ///< version that wrote it
  std::string id;          ///< random
  std::string created_at;  ///< RFC 3339
  struct Part {
    std::uint64_t bytes = 0;
    std::string sum;  ///< SHA-256 over the SHA-256s of its pieces of 1 MiB
  };
  struct RedisPart : Part {
    std::uint64_t keys = 0;
    std::int64_t epoch = 0;
    std::string generation;
    queue::Census census;
  };
  std::optional<RedisPart> redis;
  std::optional<Part> hub;
};

/// Writes the file whole or not at all, readable by its owner only. `hub_copy`: a file, or empty.
/// Fills in sizes and sums. Throws Error{io}.
void write_backup(const std::string& path, BackupHeader& header,
                  const std::optional<queue::RedisDump>& redis, const std::string& hub_copy);

/// Reads it through once and compares every sum, so that nothing is touched for a file that is not
/// whole. Throws Error{bad_input} saying what is wrong with it, Error{io}.
BackupHeader check_backup(const std::string& path);

/// The keys of a file that was checked.
queue::RedisDump read_redis_part(const std::string& path, const BackupHeader& header);
/// Writes the Hub's database of a file that was checked to `to`, which is made anew.
void extract_hub_part(const std::string& path, const BackupHeader& header, const std::string& to);

}  // namespace botburrow::cli
