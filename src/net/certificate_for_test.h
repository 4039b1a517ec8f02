// A self-signed certificate for "localhost" and 127.0.0.1, made when a test needs it.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "net/http_server.h"

namespace fluoro::net {

class CertificateForTest {
 public:
  CertificateForTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("fluoro-tls-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                  &EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3'600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3'600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* name = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(certificate.get(), name);
    X509_EXTENSION* names =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    X509_add_ext(certificate.get(), names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    FILE* file = std::fopen(certificate_path().c_str(), "w");
    PEM_write_X509(file, certificate.get());
    std::fclose(file);
    file = std::fopen(key_path().c_str(), "w");
    PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
  }
  ~CertificateForTest() { std::filesystem::remove_all(folder_); }
  CertificateForTest(const CertificateForTest&) = delete;
  CertificateForTest& operator=(const CertificateForTest&) = delete;

  [[nodiscard]] std::string certificate_path() const { return folder_ / "certificate.pem"; }
  [[nodiscard]] std::string key_path() const { return folder_ / "key.pem"; }
  [[nodiscard]] TlsFiles files() const {
    return {.certificate_path = certificate_path(), .key_path = key_path()};
  }

 private:
  const std::filesystem::path folder_;
};

}  // namespace fluoro::net
