#include "net/http_client.hpp"
#include "tests/net/raw_peer.hpp"

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace botburrow::net {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
namespace ssl = boost::asio::ssl;

struct SelfSigned {
  std::string certificate;
  std::string key;
};

std::string pem(const std::function<int(BIO*)>& write) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), &BIO_free);
  EXPECT_EQ(write(memory.get()), 1);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

/// A certificate for `name` (such as "IP:127.0.0.1") that vouches for itself.
SelfSigned self_signed(const std::string& name) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> cert(X509_new(), &X509_free);
  X509_set_version(cert.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), 3600);
  X509_set_pubkey(cert.get(), key.get());
  X509_NAME* subject = X509_get_subject_name(cert.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(cert.get(), subject);
  X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, name.c_str());
  X509_add_ext(cert.get(), names, -1);
  X509_EXTENSION_free(names);
  X509_sign(cert.get(), key.get(), EVP_sha256());
  return {pem([&](BIO* out) { return PEM_write_bio_X509(out, cert.get()); }), pem([&](BIO* out) {
            return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

struct HttpClientTls : testing::Test {
  RawServer::Serve tls(const SelfSigned& identity) {
    auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
    context->use_certificate_chain(asio::buffer(identity.certificate));
    context->use_private_key(asio::buffer(identity.key), ssl::context::pem);
    return [this, context](RawPeer& peer) -> Task<> {
      ssl::stream<tcp::socket&> stream(peer.socket, *context);
      const auto [failed] = co_await stream.async_handshake(ssl::stream_base::server, kRawTuple);
      if (failed) co_return;
      char bytes[4096];
      const auto [error, count] = co_await stream.async_read_some(asio::buffer(bytes), kRawTuple);
      if (error) co_return;
      ++requests;
      const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
      co_await asio::async_write(stream, asio::buffer(answer), kRawTuple);
    };
  }
  std::string url(const RawServer& server) {
    return "https://127.0.0.1:" + std::to_string(server.port());
  }

  asio::io_context ioc;
  int requests = 0;
};

/// SSL_CERT_FILE names a file with this text while the object lives.
struct TrustedFile {
  explicit TrustedFile(const std::string& text)
      : path(std::filesystem::temp_directory_path() / ("bb_trust_" + std::to_string(getpid()))) {
    std::ofstream(path) << text;
    setenv("SSL_CERT_FILE", path.c_str(), 1);
  }
  ~TrustedFile() {
    unsetenv("SSL_CERT_FILE");
    std::filesystem::remove(path);
  }
  std::filesystem::path path;
};

TEST_F(HttpClientTls, ACertificateNobodyVouchesForIsRefusedBeforeAnythingIsSent) {
  RawServer server(ioc, tls(self_signed("IP:127.0.0.1")));
  HttpClient client(ioc.get_executor(), {});
  const auto error = error_of(
      [&] { run_task(ioc, client.send({.method = "POST", .url = url(server), .body = "x"})); });
  EXPECT_EQ(error.code(), errc::http_unavailable);
  EXPECT_EQ(error.detail(), "not_sent");
  EXPECT_THAT(error.message(), HasSubstr("certificate"));
  EXPECT_EQ(requests, 0);
}

TEST_F(HttpClientTls, ACertificateOfTheNamedFileIsAccepted) {
  const auto identity = self_signed("IP:127.0.0.1");
  const TrustedFile trusted(identity.certificate);
  RawServer server(ioc, tls(identity));
  HttpClient client(ioc.get_executor(), {});
  EXPECT_EQ(run_task(ioc, client.send({.url = url(server)})).body, "ok");
}

TEST_F(HttpClientTls, ACertificateForAnotherHostIsRefused) {
  const auto identity = self_signed("DNS:other.test");
  const TrustedFile trusted(identity.certificate);
  RawServer server(ioc, tls(identity));
  HttpClient client(ioc.get_executor(), {});
  const auto error = error_of([&] { run_task(ioc, client.send({.url = url(server)})); });
  EXPECT_EQ(error.detail(), "not_sent");
  EXPECT_EQ(requests, 0);
}

TEST_F(HttpClientTls, TlsToAPlainPortIsNotSent) {
  TestServer plain(ioc);
  plain->start();
  HttpClient client(ioc.get_executor(), {});
  const auto error = error_of([&] {
    run_task(ioc, client.send({.method = "POST",
                               .url = "https://127.0.0.1:" + std::to_string(plain->port())}));
  });
  EXPECT_EQ(error.code(), errc::http_unavailable);
  EXPECT_EQ(error.detail(), "not_sent");
}

}  // namespace
}  // namespace botburrow::net
