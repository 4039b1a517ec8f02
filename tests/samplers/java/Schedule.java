import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.StringJoiner;
import java.util.concurrent.locks.LockSupport;

/** What every driver does: see tests/samplers/python/schedule.py, whose arguments and lines these are. */
final class Schedule {
  /** One decision; `rule` is null where the client does not tell it. */
  static final class Decision {
    final boolean sampled;
    final String rule;

    Decision(boolean sampled, String rule) {
      this.sampled = sampled;
      this.rule = rule;
    }
  }

  interface Decider {
    Decision decide(String path);
  }

  interface Maker {
    Decider make(String address, String service, String host, String method);
  }

  private static final class Ten {
    final long start;
    final StringJoiner at = new StringJoiner(",", "[", "]");
    final StringBuilder yes = new StringBuilder();
    final Map<String, Integer> rules = new HashMap<>();
    int sampled;

    Ten(long start) {
      this.start = start;
    }

    void print(String path) {
      StringJoiner told = new StringJoiner(",", "{", "}");
      rules.forEach((rule, count) -> told.add("\"" + rule + "\":" + count));
      System.out.println("{\"path\":\"" + path + "\",\"from_ms\":" + start + ",\"requests\":" + yes.length() + ",\"sampled\":" + sampled
          + ",\"rules\":" + told + ",\"at\":" + at + ",\"yes\":\"" + yes + "\"}");
    }
  }

  private Schedule() {}

  static void run(String[] arguments, Maker maker) {
    Decider decider = maker.make(arguments[0], arguments[1], arguments[4], arguments[5]);
    int paths = arguments.length - 6;
    double stepMs = 1000.0 / (Double.parseDouble(arguments[3]) * paths);
    long count = (long) (Double.parseDouble(arguments[2]) * 1000 / stepMs);
    long begin = System.currentTimeMillis();
    long flushAt = begin + 10_000;
    Map<String, Ten> tens = new LinkedHashMap<>();
    for (int i = 6; i < arguments.length; ++i) tens.put(arguments[i], new Ten(begin));
    for (long i = 0; i < count; ++i) {
      long due = begin + (long) (i * stepMs);
      for (long now = System.currentTimeMillis(); now < due; now = System.currentTimeMillis()) LockSupport.parkNanos((due - now) * 1_000_000);
      String path = arguments[6 + (int) (i % paths)];
      Ten ten = tens.get(path);
      long now = System.currentTimeMillis();
      Decision decision = decider.decide(path);
      ten.at.add(Long.toString(now - ten.start));
      ten.yes.append(decision.sampled ? '1' : '0');
      if (decision.sampled) ++ten.sampled;
      if (decision.rule != null) ten.rules.merge(decision.rule, 1, Integer::sum);
      if (now >= flushAt || i == count - 1) {
        for (String name : tens.keySet()) {
          tens.get(name).print(name);
          tens.put(name, new Ten(now));
        }
        System.out.flush();
        flushAt += 10_000;
      }
    }
    System.exit(0);
  }
}
