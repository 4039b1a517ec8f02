// AWS's own signing test suite, where it is at hand, and cases of ours: each is signed to the byte
// and verified, and every change of one is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <ranges>

#include "auth/signed_request_for_test.h"
#include "auth/sigv4_verifier.h"
#include "base/json_tree.h"
#include "base/percent.h"

namespace fluoro::auth {
namespace {

struct Mutation {
  std::string name;
  TestRequest request;
  std::int64_t shift_ns = 0;
};

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from << " in " << text;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

/// Value of `name=` up to one of `ends`.
std::string PartOf(std::string_view text, std::string_view name, std::string_view ends) {
  const std::size_t at = text.find(std::string(name) + "=") + name.size() + 1;
  return std::string(text.substr(at, text.find_first_of(ends, at) - at));
}

/// Changes of what both forms have.
std::vector<Mutation> CommonMutations(const TestRequest& sent) {
  std::vector<Mutation> all;
  const auto add = [&](std::string name, const std::function<void(TestRequest&)>& change) {
    all.push_back({std::move(name), sent});
    change(all.back().request);
  };
  add("method", [](TestRequest& r) { r.method = "PUT"; });
  add("method in small letters", [](TestRequest& r) { r.method = "get"; });
  add("path", [](TestRequest& r) { r.path += "x"; });
  add("path percent-encoded", [](TestRequest& r) { r.path += "%61"; });
  add("query", [](TestRequest& r) { r.query += r.query.empty() ? "a=b" : "&a=b"; });
  add("byte more in the body", [](TestRequest& r) { r.body += '\0'; });
  add("host with a port", [](TestRequest& r) { *r.Find("host") += ":80"; });
  add("host twice", [](TestRequest& r) { r.headers.emplace_back("host", "other"); });
  add("no host", [](TestRequest& r) {
    std::erase_if(r.headers, [](const auto& h) { return h.first == "host"; });
  });
  add("unsigned payload",
      [](TestRequest& r) { r.headers.emplace_back("x-amz-content-sha256", "UNSIGNED-PAYLOAD"); });
  add("hash of another body", [](TestRequest& r) {
    r.headers.emplace_back("x-amz-content-sha256", Sha256Hex("other"));
    r.body = "other";
  });
  add("payload in chunks", [](TestRequest& r) {
    std::erase_if(r.headers, [](const auto& h) { return h.first == "x-amz-content-sha256"; });
    r.headers.emplace_back("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
  });
  if (!sent.body.empty()) {
    add("flipped bit of the body", [](TestRequest& r) { r.body[0] ^= 1; });
    add("no body", [](TestRequest& r) { r.body.clear(); });
  }
  return all;
}

std::vector<Mutation> HeaderMutations(const TestRequest& sent) {
  std::vector<Mutation> all = CommonMutations(sent);
  TestRequest copy = sent;
  const std::string authorization = *copy.Find("authorization");
  const auto replace = [&](std::string name, std::string value) {
    all.push_back({std::move(name), sent});
    *all.back().request.Find("authorization") = std::move(value);
  };
  const std::string credential = PartOf(authorization, "Credential", ",");
  const std::string names = PartOf(authorization, "SignedHeaders", ",");
  const std::string signature = PartOf(authorization, "Signature", ",");
  const auto scope = Split(credential, '/');
  for (std::size_t i = 0; i < scope.size(); ++i) {
    std::vector<std::string_view> other = scope;
    other[i] = i == 1 ? "20150829" : "other";
    replace("credential part " + std::to_string(i),
            Replaced(authorization, credential, Join(other, '/')));
    other[i] = "";
    replace("credential without part " + std::to_string(i),
            Replaced(authorization, credential, Join(other, '/')));
  }
  replace("credential with a part more", Replaced(authorization, credential, credential + "/x"));
  for (const std::string_view algorithm :
       {"none", "", "AWS4-HMAC-SHA1", "AWS4-HMAC-SHA256X", "AWS3-HTTPS", "AWS4-ECDSA-P256-SHA256",
        "aws4-hmac-sha256"}) {
    replace("algorithm '" + std::string(algorithm) + "'",
            Replaced(authorization, "AWS4-HMAC-SHA256", algorithm));
  }
  replace("nothing behind the algorithm", "AWS4-HMAC-SHA256");
  replace("empty header", "");
  for (const std::string_view part : {"Credential", "SignedHeaders", "Signature"}) {
    replace("no " + std::string(part), Replaced(authorization, std::string(part) + "=", "X="));
    replace("empty " + std::string(part),
            Replaced(authorization, std::string(part) + "=" + PartOf(authorization, part, ","),
                     std::string(part) + "="));
    replace(std::string(part) + " twice",
            authorization + ", " + std::string(part) + "=" + PartOf(authorization, part, ","));
  }
  for (const std::size_t at : {std::size_t{0}, std::size_t{31}, std::size_t{63}}) {
    std::string other = signature;
    other[at] = other[at] == '0' ? '1' : '0';
    replace("signature digit " + std::to_string(at), Replaced(authorization, signature, other));
  }
  std::string capitals = signature;
  std::ranges::transform(capitals, capitals.begin(), [](char c) {
    return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  replace("signature in capitals", Replaced(authorization, signature, capitals));
  replace("shorter signature", Replaced(authorization, signature, signature.substr(0, 63)));
  replace("longer signature", Replaced(authorization, signature, signature + "0"));
  for (const std::string_view name : Split(names, ';')) {
    auto fewer = Split(names, ';');
    std::erase(fewer, name);
    replace("'" + std::string(name) + "' not signed",
            Replaced(authorization, "SignedHeaders=" + names, "SignedHeaders=" + Join(fewer, ';')));
    if (name == "host") continue;
    all.push_back({"value of '" + std::string(name) + "'", sent});
    std::string& value = *all.back().request.Find(name);
    value = name == "x-amz-date" ? "20150830T123601Z" : value + "1";
    all.push_back({"'" + std::string(name) + "' sent twice", sent});
    all.back().request.headers.emplace_back(name, "1");
  }
  replace("a header more signed", Replaced(authorization, names, names + ";x-more"));
  replace("signed headers out of order", Replaced(authorization, names, "x-amz-date;host"));
  replace("signed headers in capitals", Replaced(authorization, "host", "Host"));
  all.push_back({"two Authorization headers", sent});
  all.back().request.headers.emplace_back("authorization", authorization);
  all.push_back({"one header of both", sent});
  *all.back().request.Find("authorization") += ", " + authorization;
  all.push_back({"no Authorization", sent});
  std::erase_if(all.back().request.headers,
                [](const auto& h) { return h.first == "authorization"; });
  all.push_back({"a token that is not the key's", sent});
  std::erase_if(all.back().request.headers,
                [](const auto& h) { return h.first == "x-amz-security-token"; });
  all.back().request.headers.emplace_back("x-amz-security-token", "other");
  all.push_back({"a clock more than five minutes ahead", sent, -300 * kNsPerSecond - 1});
  all.push_back({"a clock more than five minutes behind", sent, 300 * kNsPerSecond + 1});
  return all;
}

std::vector<Mutation> QueryMutations(const TestRequest& sent) {
  std::vector<Mutation> all = CommonMutations(sent);
  for (const std::string_view name :
       {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
        "X-Amz-Signature", "X-Amz-Security-Token"}) {
    const std::string whole = std::string(name) + "=" + PartOf(sent.query, name, "&");
    if (sent.query.find(std::string(name) + "=") == std::string::npos) continue;
    for (const auto& [what, value] : {std::pair{"without ", std::string("X=1")},
                                      {"empty ", std::string(name) + "="},
                                      {"longer ", whole + "1"},
                                      {"twice ", whole + "&" + whole}}) {
      all.push_back({what + std::string(name), sent});
      all.back().request.query = Replaced(sent.query, whole, value);
    }
  }
  for (const auto& [from, to] : {std::pair{"us-east-1", "us-east-2"},
                                 {"aws4_request", "aws4"},
                                 {"X-Amz-Expires=3600", "X-Amz-Expires=3601"},
                                 {"X-Amz-Expires=3600", "X-Amz-Expires=604801"},
                                 {"AWS4-HMAC-SHA256", "none"},
                                 {"X-Amz-Date=2", "X-Amz-Date=1"}}) {
    all.push_back({std::string(from) + " as " + to, sent});
    all.back().request.query = Replaced(sent.query, from, to);
  }
  all.push_back({"a signature in the header too", sent});
  all.back().request.headers.emplace_back("authorization", "AWS4-HMAC-SHA256 Credential=a");
  all.push_back({"expired", sent, 3600 * kNsPerSecond + 1});
  all.push_back({"from the future", sent, -300 * kNsPerSecond - 1});
  return all;
}

/// The number of changes, all of which were refused.
std::size_t ExpectOnlyAsSigned(const TestContext& context, const TestRequest& sent, bool in_query,
                               const std::string& name) {
  SigV4Verifier verifier;
  const auto good = context.Verify(verifier, sent);
  EXPECT_EQ(good.value_or(good ? "" : good.error().message), context.credentials.access_key)
      << name;
  const auto mutations = in_query ? QueryMutations(sent) : HeaderMutations(sent);
  for (const Mutation& mutation : mutations) {
    EXPECT_FALSE(context.Verify(verifier, mutation.request, mutation.shift_ns))
        << name << ": " << mutation.name;
  }
  EXPECT_TRUE(context.Verify(verifier, sent)) << name;
  return mutations.size();
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

TestContext ReadContext(const std::filesystem::path& path) {
  const std::string text = ReadFile(path);
  const auto tree = JsonTree::Parse(text);
  EXPECT_TRUE(tree) << path;
  const auto member = [](JsonView json, std::string_view name) {
    return std::string(json[name].String().value_or(""));
  };
  TestContext context;
  const JsonView credentials = tree->root()["credentials"];
  context.credentials = {.access_key = member(credentials, "access_key_id"),
                         .secret = member(credentials, "secret_access_key"),
                         .session_token = member(credentials, "token")};
  context.region = member(tree->root(), "region");
  context.service = member(tree->root(), "service");
  std::string time = member(tree->root(), "timestamp");
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  context.unix_s = ParseBasicTime(time).value_or(0);
  return context;
}

TEST(SigV4Suite, HoldsForAwsCasesAndRefusesEveryChangeOfThem) {
  const std::filesystem::path folder = "../shared/data/sigv4";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "AWS's signing test suite is not here";
  std::size_t cases = 0;
  std::size_t mutations = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    const TestContext context = ReadContext(entry.path() / "context.json");
    ++cases;
    for (const bool in_query : {false, true}) {
      const std::string form = in_query ? "query" : "header";
      const auto file = [&](const std::string& what) {
        return ReadFile(entry.path() / (form + "-" + what + ".txt"));
      };
      const TestRequest sent = ParseRequestText(file("signed-request"));
      mutations += ExpectOnlyAsSigned(context, sent, in_query, name + " " + form);
      // Ours, to the byte.
      TestRequest request = ParseRequestText(ReadFile(entry.path() / "request.txt"));
      if (!in_query &&
          ReadFile(entry.path() / "context.json").find("\"sign_body\": true") != std::string::npos)
        request.headers.emplace_back("x-amz-content-sha256", Sha256Hex(request.body));
      const TestRequest mine = SignedBy(context, request, in_query);
      const std::string signature = in_query ? PartOf(mine.query, "X-Amz-Signature", "&")
                                             : PartOf(mine.headers.back().second, "Signature", ",");
      EXPECT_EQ(signature, file("signature")) << name << " " << form;
      const std::string signed_headers =
          in_query ? PercentDecode(PartOf(mine.query, "X-Amz-SignedHeaders", "&"), false)
                   : PartOf(mine.headers.back().second, "SignedHeaders", ",");
      const auto names = Split(signed_headers, ';');
      EXPECT_EQ(mine.With([&](const HttpRequestView& view) {
        return CanonicalRequest(view, names, Sha256Hex(view.body), "X-Amz-Signature");
      }),
                file("canonical-request"))
          << name << " " << form;
    }
  }
  EXPECT_GE(cases, 12U);
  EXPECT_GE(mutations, 216U);
  RecordProperty("mutations", static_cast<int>(mutations));
}

TEST(SigV4Suite, HoldsForCasesOfOurOwnAndRefusesEveryChangeOfThem) {
  std::size_t mutations = 0;
  for (const std::string_view text :
       {"GET / HTTP/1.1\nHost:h\n\n",
        "POST /TraceSegments "
        "HTTP/1.1\nHost:127.0.0.1:2000\nContent-Type:application/json\nContent-Length:2\n\n{}",
        "GET /a/../b//c HTTP/1.1\nHost:h\n\n", "GET /a?b=2&a=1&a=0 HTTP/1.1\nHost:h\n\n",
        "POST / "
        "HTTP/1.1\nHost:h\nContent-Type:application/"
        "x-www-form-urlencoded\n\nAction=GetRole&RoleName=a",
        "POST /v1/traces HTTP/1.1\nHost:h\nX-B: a   b \nX-A:1\n\nspans"}) {
    for (const bool token : {false, true}) {
      for (const bool in_query : {false, true}) {
        TestContext context;
        context.unix_s = 1'440'938'160;
        if (token) context.credentials.session_token = "TOKEN";
        mutations +=
            ExpectOnlyAsSigned(context, SignedBy(context, ParseRequestText(text), in_query),
                               in_query, std::string(text.substr(0, text.find('\n'))));
      }
    }
  }
  EXPECT_GE(mutations, 216U);
}

}  // namespace
}  // namespace fluoro::auth
