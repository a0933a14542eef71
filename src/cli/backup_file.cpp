#include "cli/backup_file.hpp"

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string_view>

namespace botburrow::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "botburrow-backup ";
constexpr std::string_view kFirstLine = "botburrow-backup 1\n";
constexpr std::size_t kPiece = 1u << 20;
constexpr std::size_t kHeaderMost = 64u << 10;

class File {
 public:
  File(std::string path, int flags, mode_t mode = 0600) : path_(std::move(path)) {
    fd_ = ::open(path_.c_str(), flags | O_CLOEXEC, mode);
    if (fd_ < 0) fail("cannot be opened");
  }
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto wrote = ::write(fd_, bytes.data(), bytes.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) fail("cannot be written");
      bytes.remove_prefix(static_cast<std::size_t>(wrote));
    }
  }
  /// At most `most` bytes from the place reached; fewer only at the end.
  std::string read(std::size_t most) {
    std::string out(most, '\0');
    std::size_t got = 0;
    while (got < most) {
      const auto count = ::read(fd_, out.data() + got, most - got);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail("cannot be read");
      if (count == 0) break;
      got += static_cast<std::size_t>(count);
    }
    out.resize(got);
    return out;
  }
  void seek(std::uint64_t at) {
    if (::lseek(fd_, static_cast<off_t>(at), SEEK_SET) < 0) fail("cannot be read");
  }
  void sync() {
    if (::fsync(fd_) != 0) fail("cannot be written");
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw Error(errc::io, fmt::format("{}: {}: {}", path_, what, std::strerror(errno)));
  }
  std::string path_;
  int fd_ = -1;
};

/// Sums pieces as they come; each but the last is a whole piece.
class Sum {
 public:
  void add(std::string_view piece) {
    sums_ += sha256_hex(piece);
    bytes_ += piece.size();
  }
  BackupHeader::Part part() const { return {.bytes = bytes_, .sum = sha256_hex(sums_)}; }

 private:
  std::string sums_;
  std::uint64_t bytes_ = 0;
};

BackupHeader::Part sum_of(std::string_view bytes) {
  Sum sum;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(kPiece, bytes.size())))
    sum.add(bytes.substr(0, kPiece));
  return sum.part();
}

void for_each_piece(File& file, std::uint64_t bytes,
                    const std::function<void(const std::string&)>& use) {
  while (bytes > 0) {
    const auto piece = file.read(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, kPiece)));
    if (piece.empty()) return;
    bytes -= piece.size();
    use(piece);
  }
}

BackupHeader::Part sum_of_file(const std::string& path) {
  File file(path, O_RDONLY);
  Sum sum;
  for_each_piece(file, UINT64_MAX, [&sum](const std::string& piece) { sum.add(piece); });
  return sum.part();
}

// ---- keys --------------------------------------------------------------------------------------

void put_number(std::string& out, std::uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8)
    out.push_back(static_cast<char>((value >> shift) & 0xff));
}

void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size());
  out += text;
}

std::string encode(const std::vector<queue::KeyDump>& keys) {
  std::string out;
  for (const auto& key : keys) {
    put_text(out, key.key);
    put_number(out, static_cast<std::uint64_t>(key.ttl_ms));
    put_text(out, key.payload);
  }
  return out;
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  std::uint64_t number() {
    const auto text = take(8);
    std::uint64_t value = 0;
    for (int i = 7; i >= 0; --i)
      value = value << 8 | static_cast<unsigned char>(text[static_cast<std::size_t>(i)]);
    return value;
  }
  std::string text() { return std::string(take(number())); }

 private:
  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size()) throw Error(errc::bad_input, "the keys in the backup are cut short");
    const auto out = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return out;
  }
  std::string_view bytes_;
};

// ---- header ------------------------------------------------------------------------------------

json::object part_json(const BackupHeader::Part& part) {
  return {{"bytes", part.bytes}, {"sum", part.sum}};
}

json::value to_document(const BackupHeader& header) {
  json::object out = {{"format", header.format}, {"program", header.program},
                      {"id", header.id},         {"created_at", header.created_at},
                      {"redis", nullptr},        {"hub", nullptr}};
  if (header.hub) out["hub"] = part_json(*header.hub);
  if (!header.redis) return out;
  auto redis = part_json(*header.redis);
  const auto& census = header.redis->census;
  redis["keys"] = header.redis->keys;
  redis["epoch"] = header.redis->epoch;
  redis["generation"] = header.redis->generation;
  redis["census"] = {{"enqueued", census.enqueued},
                     {"waiting", census.waiting},
                     {"leased", census.leased},
                     {"dead", census.dead},
                     {"done", census.done}};
  out["redis"] = std::move(redis);
  return out;
}

BackupHeader::Part part_of(const json::value& document) {
  return {.bytes = static_cast<std::uint64_t>(int_field(document, "bytes").value_or(0)),
          .sum = string_field(document, "sum").value_or("")};
}

BackupHeader header_of(const json::value& document) {
  BackupHeader header{.format = static_cast<int>(int_field(document, "format").value_or(0)),
                      .program = string_field(document, "program").value_or(""),
                      .id = string_field(document, "id").value_or(""),
                      .created_at = string_field(document, "created_at").value_or(""),
                      .redis = std::nullopt,
                      .hub = std::nullopt};
  if (const auto* hub = find_field(document, "hub"); hub != nullptr && hub->is_object())
    header.hub = part_of(*hub);
  const auto* redis = find_field(document, "redis");
  if (redis == nullptr || !redis->is_object()) return header;
  BackupHeader::RedisPart part;
  static_cast<BackupHeader::Part&>(part) = part_of(*redis);
  part.keys = static_cast<std::uint64_t>(int_field(*redis, "keys").value_or(0));
  part.epoch = int_field(*redis, "epoch").value_or(0);
  part.generation = string_field(*redis, "generation").value_or("");
  if (const auto* census = find_field(*redis, "census")) {
    const auto number = [census](const char* name) { return int_field(*census, name).value_or(0); };
    part.census = {.enqueued = number("enqueued"),
                   .waiting = number("waiting"),
                   .leased = number("leased"),
                   .dead = number("dead"),
                   .done = number("done")};
  }
  header.redis = std::move(part);
  return header;
}

[[noreturn]] void damaged(const std::string& path, std::string_view what) {
  throw Error(errc::bad_input,
              fmt::format("{}: {}; take another backup, nothing was changed", path, what));
}

struct Opened {
  BackupHeader header;
  std::uint64_t body = 0;  ///< where the parts begin
};

Opened read_header(const std::string& path, File& file) {
  const auto head = file.read(kHeaderMost);
  if (!head.starts_with(kMagic)) damaged(path, "this is no backup of botburrow");
  if (!head.starts_with(kFirstLine)) {
    const auto number = head.substr(kMagic.size(), head.find('\n') - kMagic.size());
    damaged(path, fmt::format("it has format {}, and this program knows 1: use the version that "
                              "wrote it",
                              number.substr(0, 10)));
  }
  const auto begin = kFirstLine.size();
  const auto end = head.find('\n', begin);
  const auto sum_end = end == std::string::npos ? end : head.find('\n', end + 1);
  if (sum_end == std::string::npos) damaged(path, "it is cut short");
  const auto line = head.substr(begin, end - begin);
  if (sha256_hex(line) != head.substr(end + 1, sum_end - end - 1))
    damaged(path, "its table of contents is damaged");
  return {.header = header_of(parse_json(line, path)), .body = sum_end + 1};
}

void check_part(const std::string& path, File& file, const BackupHeader::Part& part,
                std::string_view name) {
  Sum sum;
  for_each_piece(file, part.bytes, [&sum](const std::string& piece) { sum.add(piece); });
  const auto found = sum.part();
  if (found.bytes != part.bytes)
    damaged(path, fmt::format("it is cut short: {} of {} bytes of {} are there", found.bytes,
                              part.bytes, name));
  if (found.sum != part.sum) damaged(path, fmt::format("the part of {} is damaged", name));
}

std::uint64_t redis_bytes(const BackupHeader& header) {
  return header.redis ? header.redis->bytes : 0;
}

void sync_folder(const std::string& path) {
  const auto folder = fs::path(path).parent_path();
  File(folder.empty() ? "." : folder.string(), O_RDONLY | O_DIRECTORY).sync();
}

}  // namespace

void write_backup(const std::string& path, BackupHeader& header,
                  const std::optional<queue::RedisDump>& redis, const std::string& hub_copy) {
  std::string keys;
  if (redis) {
    keys = encode(redis->keys);
    BackupHeader::RedisPart part;
    static_cast<BackupHeader::Part&>(part) = sum_of(keys);
    part.keys = redis->keys.size();
    part.epoch = redis->epoch;
    part.generation = redis->generation;
    part.census = redis->census;
    header.redis = std::move(part);
  }
  if (!hub_copy.empty()) header.hub = sum_of_file(hub_copy);
  const auto line = to_json(to_document(header));
  const auto temporary = fmt::format("{}.{}.tmp", path, ::getpid());
  ::unlink(temporary.c_str());
  try {
    File file(temporary, O_WRONLY | O_CREAT | O_EXCL);
    file.write(fmt::format("{}{}\n{}\n", kFirstLine, line, sha256_hex(line)));
    file.write(keys);
    if (!hub_copy.empty()) {
      File copy(hub_copy, O_RDONLY);
      for_each_piece(copy, UINT64_MAX, [&file](const std::string& piece) { file.write(piece); });
    }
    file.sync();
    if (::rename(temporary.c_str(), path.c_str()) != 0)
      throw Error(errc::io, fmt::format("{}: cannot be written: {}", path, std::strerror(errno)));
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(path);
}

BackupHeader check_backup(const std::string& path) {
  File file(path, O_RDONLY);
  auto [header, body] = read_header(path, file);
  file.seek(body);
  if (header.redis) check_part(path, file, *header.redis, "Redis");
  if (header.hub) check_part(path, file, *header.hub, "the Hub");
  if (!file.read(1).empty()) damaged(path, "something stands behind its end");
  return header;
}

queue::RedisDump read_redis_part(const std::string& path, const BackupHeader& header) {
  File file(path, O_RDONLY);
  file.seek(read_header(path, file).body);
  const auto bytes = file.read(redis_bytes(header));
  queue::RedisDump dump;
  if (header.redis) {
    dump.epoch = header.redis->epoch;
    dump.generation = header.redis->generation;
    dump.census = header.redis->census;
  }
  for (Reader reader(bytes); !reader.empty();) {
    queue::KeyDump key;
    key.key = reader.text();
    key.ttl_ms = static_cast<std::int64_t>(reader.number());
    key.payload = reader.text();
    dump.keys.push_back(std::move(key));
  }
  return dump;
}

void extract_hub_part(const std::string& path, const BackupHeader& header, const std::string& to) {
  File file(path, O_RDONLY);
  file.seek(read_header(path, file).body + redis_bytes(header));
  ::unlink(to.c_str());
  File target(to, O_WRONLY | O_CREAT | O_EXCL);
  for_each_piece(file, header.hub ? header.hub->bytes : 0,
                 [&target](const std::string& piece) { target.write(piece); });
  target.sync();
}

}  // namespace botburrow::cli
