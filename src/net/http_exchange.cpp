#include "net/http_exchange.hpp"

#include "base/json.hpp"

#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace botburrow::net {
namespace {

constexpr std::size_t kHeaderBytesMax = 64 * 1024;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

/// The peer as messages name it: never path, query or user.
std::string peer_of(const UrlParts& url) {
  const bool v6 = url.host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}{}", url.scheme, v6 ? "[" : "", url.host, v6 ? "]" : "",
                     url.explicit_port ? ":" + url.port : "");
}

/// Sending such a request twice does what sending it once does.
bool may_be_sent_again(const HttpRequest& request) {
  return request.method == "GET" || request.method == "HEAD" || request.method == "OPTIONS";
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

void check_request(const HttpRequest& request) {
  if (!is_token(request.method)) {
    throw Error(errc::invalid_argument,
                "the HTTP method is not a token of letters; give one such as GET");
  }
  for (const auto& [name, value] : request.headers) {
    if (!is_token(name)) {
      throw Error(errc::invalid_argument,
                  "the name of a request header holds bytes that are not allowed there");
    }
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      throw Error(errc::invalid_argument,
                  fmt::format("request header {} holds a line break or NUL byte; remove it", name));
    }
  }
}

/// Where a redirect leads if it may be followed: the same host and port, or its https side.
std::optional<std::string> redirect_target(const HttpRequest& request, const std::string& url,
                                           const HttpResponse& response) {
  const int status = response.status;
  if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308)
    return std::nullopt;
  if (request.method != "GET" && request.method != "HEAD") return std::nullopt;
  const auto location = response.header("location");
  if (!location) return std::nullopt;
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), &curl_url_cleanup);
  if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK)
    return std::nullopt;
  if (curl_url_set(parsed.get(), CURLUPART_URL, location->c_str(), CURLU_URLENCODE) != CURLUE_OK)
    return std::nullopt;
  char* text = nullptr;
  if (curl_url_get(parsed.get(), CURLUPART_URL, &text, 0) != CURLUE_OK) return std::nullopt;
  const std::string target(text);
  curl_free(text);
  try {
    const UrlParts from = parse_url(url);
    const UrlParts to = parse_url(target);
    if (lower_case(from.host) != lower_case(to.host)) return std::nullopt;
    const bool same = from.scheme == to.scheme && from.port == to.port;
    const bool to_https =
        from.scheme == "http" && to.scheme == "https" && from.port == "80" && to.port == "443";
    if (!same && !to_https) return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
  return target;
}

void HeaderList::add(const std::string& line) {
  curl_slist* longer = curl_slist_append(list, line.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  list = longer;
}

Exchange::Exchange(const boost::asio::any_io_executor& executor, const HttpRequest& what,
                   std::string where)
    : wake(executor), request(what), url(std::move(where)), peer(peer_of(parse_url(url))) {}

void Exchange::set_options(const std::string& user_agent) {
  set_headers(user_agent);
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(std::max<std::int64_t>(request.connect_timeout.count(), 1)));
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.list);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Exchange::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Exchange::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, &Exchange::on_connected);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, this);
  set_method();
}

void Exchange::set_method() {
  const bool bodiless = request.body.empty() && request.method != "POST" &&
                        request.method != "PUT" && request.method != "PATCH";
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (bodiless) {
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  } else {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
  }
  if (request.method != "HEAD")
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

void Exchange::set_headers(const std::string& user_agent) {
  // libcurl's own ideas about these two are of no use here.
  headers.add("Expect:");
  bool has_type = false;
  bool has_agent = false;
  for (const auto& [name, value] : request.headers) {
    const std::string key = lower_case(name);
    has_type = has_type || key == "content-type";
    has_agent = has_agent || key == "user-agent";
    // "Name;" is how libcurl spells a header with an empty value.
    headers.add(trimmed(value).empty() ? name + ";" : name + ": " + value);
  }
  if (!has_type) headers.add("Content-Type:");
  if (!has_agent && !user_agent.empty()) headers.add("User-Agent: " + user_agent);
}

std::size_t Exchange::on_header(char* data, std::size_t size, std::size_t count, void* self) {
  return static_cast<Exchange*>(self)->take_header({data, size * count}) ? size * count : 0;
}

std::size_t Exchange::on_body(char* data, std::size_t size, std::size_t count, void* self) {
  return static_cast<Exchange*>(self)->take_body({data, size * count}) ? size * count : 0;
}

int Exchange::on_connected(void* self, char*, char*, int, int) {
  return static_cast<Exchange*>(self)->may_write() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

/// libcurl asks right before it writes the request. It asks again when a kept connection turned out
/// to be dead; whether the peer has acted by then is unknown, hence no second try for a POST.
bool Exchange::may_write() {
  if (sent && !may_be_sent_again(request)) return false;
  sent = true;
  last_byte = BootClock::now();
  if (request.idle_timeout.count() > 0) wake.cancel();
  return true;
}

bool Exchange::take_header(std::string_view line) {
  last_byte = BootClock::now();
  header_bytes += line.size();
  if (header_bytes > kHeaderBytesMax) {
    over_limit = fmt::format("the answer's headers are over {} bytes", kHeaderBytesMax);
    return false;
  }
  if (line.starts_with("HTTP/")) {  // also after a 100 Continue
    response.headers.clear();
    headers_complete = false;
    return true;
  }
  if (trimmed(line).empty()) headers_complete = true;
  const auto colon = line.find(':');
  // Trailers come after the body; nobody asks for them.
  if (headers_complete || colon == std::string_view::npos) return true;
  response.headers.emplace_back(lower_case(trimmed(line.substr(0, colon))),
                                trimmed(line.substr(colon + 1)));
  return true;
}

bool Exchange::take_body(std::string_view piece) {
  last_byte = BootClock::now();
  body_bytes += piece.size();
  if (body_bytes > request.response_bytes_max) {
    over_limit = fmt::format("the answer's body is over {} bytes", request.response_bytes_max);
    return false;
  }
  const bool good = is_2xx();
  if (!request.on_body || !good) {
    response.body.append(piece);
    stopped = !good && response.body.size() > request.refusal_bytes_max;
    if (stopped) response.body.resize(request.refusal_bytes_max);
    return !stopped;
  }
  try {
    if (request.on_head && !std::exchange(head_told, true)) {
      response.status = static_cast<int>(status());
      request.on_head(response);
    }
    stopped = !request.on_body(piece);
  } catch (...) {
    failure = std::current_exception();
  }
  return !stopped && !failure;
}

long Exchange::status() const {
  long code_of_answer = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code_of_answer);
  return code_of_answer;
}

bool Exchange::is_2xx() const {
  return status() >= 200 && status() < 300;
}

Deadline Exchange::next_look(Deadline deadline) const {
  if (request.idle_timeout.count() <= 0 || !sent) return deadline;
  return deadline.sooner_of(Deadline::at(last_byte + request.idle_timeout));
}

bool Exchange::idle_too_long() {
  if (request.idle_timeout.count() <= 0 || !sent) return false;
  curl_off_t uploaded = 0;
  curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
  if (uploaded != bytes_uploaded) {
    bytes_uploaded = uploaded;
    last_byte = BootClock::now();
  }
  return BootClock::now() >= last_byte + request.idle_timeout;
}

Error Exchange::error(errc kind, std::string_view reason) const {
  std::string line = valid_utf8(utf8_prefix(reason, 300));
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return Error(kind, fmt::format("{}: {} ({})", peer, line, sent ? "maybe sent" : "not sent"),
               Retry::after_backoff)
      .with_detail(sent_detail());
}

void Exchange::check_outcome() const {
  if (failure) std::rethrow_exception(failure);
  if (code == CURLE_OK || stopped) return;
  if (!over_limit.empty()) {
    throw Error(errc::limit, fmt::format("{}: {}", peer, over_limit)).with_detail(sent_detail());
  }
  std::string_view reason = trimmed(error_text);
  if (reason.empty()) reason = curl_easy_strerror(code);
  switch (code) {
    case CURLE_URL_MALFORMAT:
      throw Error(errc::invalid_argument, fmt::format("{}: {}", peer, reason));
    case CURLE_OUT_OF_MEMORY:
      throw std::bad_alloc();
    case CURLE_OPERATION_TIMEDOUT:
      throw error(errc::timeout, reason);
    case CURLE_COULDNT_CONNECT: {
      // libcurl's own words do not tell a closed port from a host that is not there.
      long number = 0;
      curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
      if (number == 0) throw error(errc::http_unavailable, reason);
      throw error(errc::http_unavailable, ::strerror(static_cast<int>(number)));
    }
    case CURLE_ABORTED_BY_CALLBACK:
      throw error(errc::http_unavailable, "the peer closed the connection before it answered");
    default:
      throw error(errc::http_unavailable, reason);
  }
}

}  // namespace botburrow::net
