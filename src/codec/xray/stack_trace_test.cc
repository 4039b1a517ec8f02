#include "codec/xray/stack_trace.h"

#include <gmock/gmock.h>

namespace fluoro::codec::xray {
namespace {

// "type|message|label@path:line,..." of each exception.
std::vector<std::string> Parsed(std::string_view language, std::string_view text) {
  std::vector<std::string> out;
  for (const StackedException& exception : ParseStackTrace(language, text)) {
    std::string line = exception.type + "|" + exception.message + "|";
    for (const StackFrame& frame : exception.stack) {
      line += (line.ends_with('|') ? "" : ",") + frame.label + "@" + frame.path + ":" +
              std::to_string(frame.line);
    }
    out.push_back(line);
  }
  return out;
}

TEST(StackTrace, ReadsEveryLanguage) {
  const struct {
    std::string_view language;
    std::string_view text;
    std::vector<std::string> exceptions;
  } cases[] = {
      {"java",
       "java.lang.IllegalStateException: x\n\tat java.base/java.util.A.b(A.java:7)\n\tSuppressed: "
       "y\n\t\tat z.Z.z(Z.java:1)\n"
       "Caused by: java.io.IOException: first\nsecond\n\tat c.D.e(D.java:9)\n\t... 2 more\n",
       {"||java.util.A.b@A.java:7", "java.io.IOException|first\nsecond|c.D.e@D.java:9"}},
      {"python",
       "Traceback (most recent call last):\n  File \"in.py\", line 1, in inner\n    "
       "1/0\nZeroDivisionError: division\n\n"
       "During handling of the above exception, another exception occurred:\n\n"
       "Traceback (most recent call last):\n  File \"a.py\", line 3, in main\n    run()\n  File "
       "\"b.py\", line 8, in run\n"
       "    raise X\nValueError: bad",
       {"||run@b.py:8,main@a.py:3", "ZeroDivisionError|division|inner@in.py:1"}},
      {"nodejs",
       "Error: x\n    at f (/srv/app.js:12:5)\n    at file:///srv/b.mjs:3:1\n    at native\n    at "
       "async Promise.all (index 0)",
       {"||f@/srv/app.js:12,@file:///srv/b.mjs:3,@native:0,async Promise.all@index 0:0"}},
      {"dotnet",
       "System.Exception: x\n   at A.B.C(String s) in C:\\src\\a.cs:line 31\n   at A.D()",
       {"||A.B.C(String s)@C:\\src\\a.cs:31,A.D()@:0"}},
      {"go",
       "goroutine 1 [running]:\nmain.f(0x1)\n\t/src/main.go:12 "
       "+0x1d\nmain.main()\n\t/src/main.go:5\n",
       {"||main.f(0x1)@/src/main.go:12,main.main()@/src/main.go:5"}},
  };
  for (const auto& c : cases) EXPECT_EQ(Parsed(c.language, c.text), c.exceptions) << c.language;
}

TEST(StackTrace, GivesNothingWhereItKnowsNoFrame) {
  EXPECT_THAT(Parsed("rust", "0: main\n  at src/main.rs:4"), testing::IsEmpty());
  for (const std::string_view language :
       {"java", "php", "python", "javascript", "webjs", "dotnet", "go"}) {
    EXPECT_THAT(Parsed(language, ""), testing::IsEmpty()) << language;
    EXPECT_THAT(Parsed(language, "just text"), testing::IsEmpty()) << language;
    EXPECT_THAT(Parsed(language, "\n\n\tat (\n\tat )(\n  File \"\n    at (:\n at "),
                testing::Not(testing::SizeIs(5)));
  }
}

}  // namespace
}  // namespace fluoro::codec::xray
