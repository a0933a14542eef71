#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace botburrow::chaos {

/// A new file of zeros that holds one T, shared with whoever maps it too.
template <class T>
class MappedFile {
 public:
  explicit MappedFile(std::string path) : path_(std::move(path)) {
    const int file = ::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const bool sized = file >= 0 && ::ftruncate(file, sizeof(T)) == 0;
    void* page = sized ? ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
                       : MAP_FAILED;
    if (file >= 0) ::close(file);
    if (page == MAP_FAILED) throw std::runtime_error(path_ + ": " + std::strerror(errno));
    value_ = static_cast<T*>(page);
  }
  ~MappedFile() { ::munmap(value_, sizeof(T)); }
  MappedFile(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  T& operator*() const { return *value_; }
  T* operator->() const { return value_; }

 private:
  std::string path_;
  T* value_ = nullptr;
};

}  // namespace botburrow::chaos
