#include "net/resp.hpp"

#include <fmt/format.h>
#include <hiredis/read.h>

#include <algorithm>
#include <new>

namespace botburrow::net {

void append_array_head(std::string& out, std::size_t count) {
  const fmt::format_int digits(count);
  out.push_back('*');
  out.append(digits.data(), digits.size());
  out.append("\r\n", 2);
}

void append_bulk(std::string& out, std::string_view bytes) {
  const fmt::format_int digits(bytes.size());
  out.push_back('$');
  out.append(digits.data(), digits.size());
  out.append("\r\n", 2);
  out.append(bytes);
  out.append("\r\n", 2);
}

void append_command(std::string& out, std::span<const std::string> args) {
  append_array_head(out, args.size());
  for (const auto& arg : args)
    append_bulk(out, arg);
}

// Builds the reply in place: the root in `root`, the rest inside their parents' arrays. An element
// is whole before the next one is added, so growing an array moves nothing that is still pointed
// to.
struct RespReader::Builder {
  RedisReply root;
  redisReplyObjectFunctions functions{};

  Builder() {
    functions.createString = [](const redisReadTask* task, char* text, std::size_t size) {
      return guarded(task, [&](RedisReply& reply) {
        std::string bytes(text, size);
        if (task->type == REDIS_REPLY_STATUS) {
          reply.value = RedisReply::Status{std::move(bytes)};
        } else if (task->type == REDIS_REPLY_ERROR) {
          reply.value = RedisReply::Failure{std::move(bytes)};
        } else {
          reply.value = std::move(bytes);
        }
      });
    };
    functions.createArray = [](const redisReadTask* task, int count) {
      return guarded(task, [&](RedisReply& reply) {
        // The announced count is not trusted with memory: elements are paid for as they come.
        constexpr int kReserveMax = 1024;
        reply.value.emplace<RedisReply::Array>().reserve(
            static_cast<std::size_t>(std::clamp(count, 0, kReserveMax)));
      });
    };
    functions.createInteger = [](const redisReadTask* task, long long number) {
      return guarded(task,
                     [&](RedisReply& reply) { reply.value = static_cast<std::int64_t>(number); });
    };
    functions.createNil = [](const redisReadTask* task) {
      return guarded(task, [](RedisReply& reply) { reply.value = RedisReply::Nil{}; });
    };
    functions.freeObject = [](void*) {};
  }

  // C callers know no exceptions: null means out of memory to them.
  template <class Set>
  static void* guarded(const redisReadTask* task, Set set) {
    try {
      RedisReply* place = nullptr;
      if (task->parent == nullptr) {
        place = &static_cast<Builder*>(task->privdata)->root;
      } else {
        auto& parent = *static_cast<RedisReply*>(task->parent->obj);
        place = &std::get<RedisReply::Array>(parent.value).emplace_back();
      }
      set(*place);
      return place;
    } catch (const std::exception&) {
      return nullptr;
    }
  }
};

RespReader::RespReader(std::size_t reply_bytes_max)
    : builder_(std::make_unique<Builder>()),
      reader_(::redisReaderCreateWithFunctions(&builder_->functions)),
      reply_bytes_max_(reply_bytes_max) {
  if (reader_ == nullptr) throw std::bad_alloc();
  reader_->privdata = builder_.get();
  // Above our reads, so that the buffer is kept from one to the next.
  reader_->maxbuf = 1u << 20;
}

RespReader::~RespReader() {
  ::redisReaderFree(reader_);
}

void RespReader::feed(std::string_view bytes) {
  partial_bytes_ += bytes.size();
  if (::redisReaderFeed(reader_, bytes.data(), bytes.size()) != REDIS_OK) {
    throw Error(errc::protocol, fmt::format("redis: {}", reader_->errstr), Retry::after_backoff);
  }
}

RedisReply* RespReader::next() {
  void* reply = nullptr;
  if (::redisReaderGetReply(reader_, &reply) != REDIS_OK) {
    throw Error(errc::protocol, fmt::format("redis: {}", reader_->errstr), Retry::after_backoff);
  }
  if (reply == nullptr) {
    if (partial_bytes_ > reply_bytes_max_) {
      throw Error(errc::limit,
                  fmt::format("redis: a reply of more than {} bytes", reply_bytes_max_));
    }
    return nullptr;
  }
  partial_bytes_ = reader_->len - reader_->pos;
  return static_cast<RedisReply*>(reply);
}

}  // namespace botburrow::net
