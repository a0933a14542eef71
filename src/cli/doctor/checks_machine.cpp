#include "cli/doctor/check.hpp"
#include "cli/doctor/facts.hpp"
#include "cli/doctor/words.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow::cli::doctor {
namespace {

constexpr double kRoomLeast = 0.05;
constexpr std::uint64_t kBytesLeast = 100ull << 20;
constexpr double kMemoryMost = 0.9;
constexpr std::uint64_t kDescriptorsLeast = 1024;

/// Less than a twentieth and less than 100 MiB: small volumes are no fault, full ones are.
std::string fullness(const DiskFacts& disk) {
  const auto least = std::min(kBytesLeast, disk.bytes_total / 10);
  const bool low =
      static_cast<double>(disk.bytes_free) < kRoomLeast * static_cast<double>(disk.bytes_total) &&
      disk.bytes_free < kBytesLeast;
  if (disk.bytes_free < least || low)
    return fmt::format("{} left of {}", bytes_text(static_cast<double>(disk.bytes_free)),
                       bytes_text(static_cast<double>(disk.bytes_total)));
  if (disk.files_total > 0 && disk.files_free < disk.files_total / 100)
    return fmt::format("{} of {} inodes left", disk.files_free, disk.files_total);
  return "";
}

Verdict room(const Facts& facts) {
  if (!facts.machine.trouble.empty()) return unknown(facts.machine.trouble);
  std::vector<std::string> full, fine;
  for (const auto& disk : facts.machine.disks) {
    if (!disk.trouble.empty()) continue;
    if (const auto what = fullness(disk); !what.empty())
      full.push_back(fmt::format("{} ({}): {}", disk.path, disk.purpose, what));
    else
      fine.push_back(
          fmt::format("{} {} free", disk.path, bytes_text(static_cast<double>(disk.bytes_free))));
  }
  if (!full.empty()) return fault(few(full));
  return fine.empty() ? nothing_there("no folder of ours is on this machine") : good(few(fine));
}

Verdict writable(const Facts& facts) {
  if (!facts.machine.trouble.empty()) return unknown(facts.machine.trouble);
  std::vector<std::string> bad;
  for (const auto& disk : facts.machine.disks) {
    if (!disk.trouble.empty())
      bad.push_back(fmt::format("{} ({}): {}", disk.path, disk.purpose, disk.trouble));
    else if (!disk.writable)
      bad.push_back(fmt::format("{} ({})", disk.path, disk.purpose));
  }
  return bad.empty() ? good("folders are writable") : fault(few(bad));
}

Verdict memory(const Facts& facts) {
  const auto& m = facts.machine;
  if (!m.trouble.empty()) return unknown(m.trouble);
  if (m.memory_limit == 0) return unknown("neither cgroup nor /proc/meminfo can be read");
  const auto evidence =
      fmt::format("{} of {} used ({})", bytes_text(static_cast<double>(m.memory_used)),
                  bytes_text(static_cast<double>(m.memory_limit)), m.memory_of);
  const bool low =
      static_cast<double>(m.memory_used) > kMemoryMost * static_cast<double>(m.memory_limit);
  return low ? fault(evidence) : good(evidence);
}

Verdict descriptors(const Facts& facts) {
  const auto most = facts.machine.descriptors_max;
  if (!facts.machine.trouble.empty() || most == 0) return unknown("the limit cannot be read");
  const auto evidence = fmt::format("{} open files allowed", most);
  return most < kDescriptorsLeast ? fault(evidence) : good(evidence);
}

Verdict secrets(const Facts& facts) {
  const auto& m = facts.machine;
  if (!m.trouble.empty()) return unknown(m.trouble);
  if (!m.open_files.empty()) return fault(few(m.open_files));
  if (!m.unseen_files.empty()) return unknown(few(m.unseen_files));
  if (m.key_files.empty()) return nothing_there("no file with keys is known here");
  return good("only their owner reads " + few(m.key_files));
}

Verdict proxy(const Facts& facts) {
  const auto& m = facts.machine;
  if (!m.trouble.empty()) return unknown(m.trouble);
  if (m.proxy.empty()) return good("none is set");
  return m.proxy_trouble.empty() ? good(m.proxy + " answers") : fault(m.proxy_trouble);
}

}  // namespace

const std::vector<Check>& machine_checks() {
  static const std::vector<Check> checks = {
      {"machine.disk", "There is room on the disks", "the volume is full, or out of inodes",
       "free room or enlarge the volume; services go on by themselves", room},
      {"machine.mounts", "Folders can be written",
       "a volume is not mounted, read-only, or of another user",
       "mount it writable for the uid of the service (securityContext.fsGroup, chown)", writable},
      {"machine.memory", "There is memory left",
       "the container or the machine is near its limit: the kernel will end a process",
       "raise the limit, or lower MAX_CONCURRENT_ACTIVATIONS", memory},
      {"machine.files", "Enough files may be open", "the limit of open files is low",
       "LimitNOFILE= of the unit, or `ulimit -n 65536`", descriptors},
      {"machine.secrets", "Keys are private", "others on this machine can read keys",
       "`chmod 600 FILE`, and change the keys", secrets},
      {"machine.proxy", "The proxy answers", "HTTP_PROXY or HTTPS_PROXY names a proxy that is down",
       "start it, correct the variable, or add the Hub to NO_PROXY", proxy}};
  return checks;
}

}  // namespace botburrow::cli::doctor
