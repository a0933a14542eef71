#pragma once

#include <string>

namespace botburrow::test {

/// A file system that hangs, laid over a folder: every look into it waits, until this object goes.
/// Like a network file system whose server is away, except that a process which waits can be
/// killed. A FUSE mount that says hello and nothing more.
class HungFolder {
 public:
  /// Whether this process may mount such a thing (root, with /dev/fuse).
  static bool possible();
  explicit HungFolder(std::string folder);
  /// Who waits is told that the connection is gone.
  ~HungFolder();
  HungFolder(const HungFolder&) = delete;

 private:
  std::string folder_;
  int device_ = -1;
};

}  // namespace botburrow::test
