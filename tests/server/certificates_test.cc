#include "server/certificates.h"

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/certificate_maker.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using testing::Authority;
using ::testing::HasSubstr;
using testing::Identity;

class CertificatesTest : public ::testing::Test {
 protected:
  TlsOptions Write(const Identity& identity) {
    return {.certificate = folder_.Write("cert.pem", identity.certificate),
            .key = folder_.Write("key.pem", identity.key),
            .client_authorities = ""};
  }

  static std::string ErrorOf(const TlsOptions& options) {
    return std::string(Certificates::Load(options).status().message());
  }

  const testing::TempDir folder_;
  const Authority authority_{"test"};
};

TEST_F(CertificatesTest, HoldsWhatTheFilesHold) {
  const Identity identity = authority_.Issue("server");
  TlsOptions options = Write(identity);
  options.client_authorities =
      folder_.Write("ca.pem", authority_.certificate());
  const auto certificates = Certificates::Load(options);
  ASSERT_TRUE(certificates.ok()) << certificates.status();
  EXPECT_TRUE((*certificates)->wants_clients());
  const auto pem = (*certificates)->current();
  EXPECT_EQ(pem->certificate, identity.certificate);
  EXPECT_EQ(pem->key, identity.key);
  EXPECT_EQ(pem->client_authorities, authority_.certificate());
  EXPECT_NEAR(static_cast<double>(pem->expires - time(nullptr)), 86400, 100);
}

TEST_F(CertificatesTest, RefusesWhatCannotServe) {
  const Identity identity = authority_.Issue("server");
  const Identity other = authority_.Issue("other");
  EXPECT_THAT(ErrorOf(Write({"", identity.key})), HasSubstr("no certificate"));
  EXPECT_THAT(ErrorOf(Write({"rubbish", identity.key})),
              HasSubstr("no certificate"));
  EXPECT_THAT(ErrorOf(Write({identity.certificate.substr(
                                 0, identity.certificate.size() / 2),
                             identity.key})),
              HasSubstr("no certificate"));
  EXPECT_THAT(
      ErrorOf(Write({identity.certificate + other.certificate.substr(0, 200),
                     identity.key})),
      HasSubstr("no certificate"))
      << "a chain that ends in the middle";
  EXPECT_THAT(ErrorOf(Write({identity.certificate, ""})),
              HasSubstr("no private key"));
  EXPECT_THAT(ErrorOf(Write({identity.certificate, other.key})),
              HasSubstr("not the certificate's"));
  const Identity expired = authority_.Issue("server", -1);
  EXPECT_THAT(ErrorOf(Write(expired)), HasSubstr("expired"));
  TlsOptions options = Write(identity);
  options.client_authorities = folder_.Write("ca.pem", identity.key);
  EXPECT_THAT(ErrorOf(options), HasSubstr("ca.pem"));
  options.key = folder_.Path("nowhere.pem");
  EXPECT_THAT(ErrorOf(options), HasSubstr("nowhere.pem"));
}

TEST_F(CertificatesTest, ReloadTakesNewFilesAndKeepsTheOldOnesOverBadOnes) {
  const Identity first = authority_.Issue("first");
  const auto certificates = *Certificates::Load(Write(first));
  const auto before = certificates->current();
  EXPECT_TRUE(certificates->Reload().ok());
  EXPECT_EQ(certificates->current(), before) << "nothing has changed";

  Write({"rubbish", first.key});
  EXPECT_FALSE(certificates->Reload().ok());
  EXPECT_EQ(certificates->current(), before);

  const Identity second = authority_.Issue("second");
  Write({second.certificate, first.key});
  EXPECT_FALSE(certificates->Reload().ok()) << "only one of the two is there";
  EXPECT_EQ(certificates->current(), before);

  Write(second);
  EXPECT_TRUE(certificates->Reload().ok());
  EXPECT_EQ(certificates->current()->certificate, second.certificate);
}

}  // namespace
}  // namespace groupmamba
