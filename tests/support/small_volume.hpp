#pragma once

#include <cstddef>
#include <string>

namespace botburrow::test {

/// A file system of its own with little room (tmpfs), gone with this object.
class SmallVolume {
 public:
  /// Whether this process may mount one (root).
  static bool possible();
  explicit SmallVolume(std::size_t bytes);
  ~SmallVolume();
  SmallVolume(const SmallVolume&) = delete;

  const std::string& path() const { return path_; }
  /// Writes a file of rubbish until nothing fits any more; empty() takes it away.
  void fill() const;
  void empty() const;
  /// Nothing must be open for writing there.
  void make_read_only(bool read_only) const;

 private:
  std::string path_;
};

}  // namespace botburrow::test
