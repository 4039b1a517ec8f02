#include "net/address_list.h"

#include <gtest/gtest.h>

namespace fluoro::net {
namespace {

AddressList List(std::string_view text) {
  const auto list = AddressList::Parse(text);
  EXPECT_TRUE(list.has_value()) << (list ? "" : list.error().message);
  return list ? *list : AddressList();
}

TEST(AddressList, HoldsWhatItSays) {
  struct Case {
    std::string_view list;
    std::string_view host;
    std::string_view address;
    std::uint16_t port;
    bool allowed;
  };
  static constexpr Case kCases[] = {
      {"", "a.example", "203.0.113.5", 443, false},
      {"a.example", "a.example", "203.0.113.5", 443, true},
      {"a.example", "A.Example", "2001:db8::1", 443, true},
      {"a.example", "b.example", "203.0.113.5", 443, false},
      {"a.example", "x.a.example", "203.0.113.5", 443, false},
      {"a.example:8443", "a.example", "203.0.113.5", 443, false},
      {"a.example:8443", "a.example", "203.0.113.5", 8443, true},
      // A name that leads inside, whatever is its way of writing it.
      {"a.example", "a.example", "127.0.0.1", 80, false},
      {"a.example", "a.example", "127.9.9.9", 80, false},
      {"a.example", "a.example", "::1", 80, false},
      {"a.example", "a.example", "::", 80, false},
      {"a.example", "a.example", "0.0.0.0", 80, false},
      {"a.example", "a.example", "169.254.169.254", 80, false},
      {"a.example", "a.example", "::ffff:169.254.169.254", 80, false},
      {"a.example", "a.example", "::ffff:7f00:1", 80, false},
      {"a.example", "a.example", "64:ff9b::169.254.169.254", 80, false},
      {"a.example", "a.example", "fe80::1", 80, false},
      {"a.example", "a.example", "fe80::1%eth0", 80, false},
      {"a.example", "a.example", "fd00:ec2::254", 80, false},
      {"a.example", "a.example", "224.0.0.1", 80, false},
      {"a.example", "a.example", "255.255.255.255", 80, false},
      {"a.example", "a.example", "ff02::1", 80, false},
      {"a.example,127.0.0.1", "a.example", "127.0.0.1", 80, true},
      {"localhost", "localhost", "127.0.0.1", 80, true},
      {"localhost", "anything", "::1", 80, true},
      {"localhost:9000", "localhost", "127.0.0.1", 80, false},
      {"10.1.0.0/16", "any.example", "10.1.255.3", 80, true},
      {"10.1.0.0/16", "any.example", "10.2.0.1", 80, false},
      {"10.1.0.0/16:443", "any.example", "10.1.0.1", 80, false},
      {"0.0.0.0/0", "any.example", "203.0.113.5", 80, true},
      {"0.0.0.0/0", "any.example", "2001:db8::1", 80, false},
      {"10.128.0.0/9", "any.example", "10.127.0.1", 80, false},
      {"10.128.0.0/9", "any.example", "10.200.0.1", 80, true},
      {"[fd00::]:443", "any.example", "fd00::", 443, true},
      {"fd00::/8", "any.example", "fdab::1", 443, true},
      {"[fd00::/8]:443", "any.example", "fdab::1", 80, false},
      {" a.example , b.example ", "b.example", "203.0.113.5", 80, true},
      {"a.example", "a.example", "no address", 80, false},
  };
  for (const Case& c : kCases)
    EXPECT_EQ(List(c.list).Allows(c.host, c.address, c.port), c.allowed)
        << c.list << " " << c.host << " " << c.address << " " << c.port;
}

TEST(AddressList, TellsAUrlThatCannotBeAllowed) {
  EXPECT_FALSE(List("").MayName("a.example", 80));
  EXPECT_FALSE(List("a.example").MayName("b.example", 80));
  EXPECT_TRUE(List("a.example").MayName("A.example", 80));
  EXPECT_FALSE(List("a.example:1").MayName("a.example", 80));
  EXPECT_TRUE(List("10.0.0.0/8").MayName("b.example", 80));  // it may resolve to one
  EXPECT_FALSE(List("10.0.0.0/8").MayName("11.0.0.1", 80));
  EXPECT_TRUE(List("10.0.0.0/8").MayName("10.0.0.1", 80));
}

TEST(AddressList, RefusesWhatItCannotRead) {
  for (const std::string_view bad :
       {"a b", "a.example:", "a.example:0", "a.example:70000", "10.0.0.0/33", "10.0.0.0/-1",
        "10.0.0.0/x", "::1/129", "[::1", "[::1]x", "http://a", "a/8", "*", "a.example:80:90"}) {
    const auto list = AddressList::Parse(bad);
    ASSERT_FALSE(list.has_value()) << bad;
    EXPECT_EQ(list.error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace fluoro::net
