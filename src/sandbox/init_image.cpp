#include "sandbox/init_image.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

// The linked program, byte by byte.
asm(".section .rodata\n"
    ".balign 16\n"
    "bb_sandbox_init_begin:\n"
    ".incbin \"" BOTBURROW_SANDBOX_INIT
    "\"\n"
    "bb_sandbox_init_end:\n"
    ".byte 0\n"
    ".previous\n");
extern "C" const char bb_sandbox_init_begin[] __attribute__((visibility("hidden")));
extern "C" const char bb_sandbox_init_end[] __attribute__((visibility("hidden")));

namespace botburrow::sandbox {
namespace {

[[noreturn]] void throw_io(const char* what) {
  throw Error(errc::io, fmt::format("sandbox: {}: {}", what, ::strerror(errno)));
}

}  // namespace

net::UniqueFd sealed_file(const char* name, const void* bytes, std::size_t size) {
  net::UniqueFd file(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (file.get() < 0) throw_io("memfd_create");
  const auto* from = static_cast<const char*>(bytes);
  for (std::size_t put = 0; put < size;) {
    const auto now = ::write(file.get(), from + put, size - put);
    if (now < 0 && errno == EINTR) continue;
    if (now < 0) throw_io("writing a file in memory");
    put += static_cast<std::size_t>(now);
  }
  ::fchmod(file.get(), 0555);
  if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) !=
      0)
    throw_io("sealing a file in memory");
  return file;
}

net::UniqueFd open_init_image() {
  return sealed_file("botburrow-sandbox", bb_sandbox_init_begin,
                     static_cast<std::size_t>(bb_sandbox_init_end - bb_sandbox_init_begin));
}

net::UniqueFd reopened(const net::UniqueFd& file) {
  const auto path = fmt::format("/proc/self/fd/{}", file.get());
  net::UniqueFd again(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (again.get() < 0) throw_io("opening a file in memory again");
  return again;
}

}  // namespace botburrow::sandbox
