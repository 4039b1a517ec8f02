"""The X-Ray SDKs for Python and Node.js sample what their rules give them. A short run of what `make samplers` does with every sampler that can be had."""
import sys

from harness import ROOT, Server

sys.path.insert(0, str(ROOT / "tests/samplers"))
import judge  # noqa: E402

# A figure is off by six standard deviations once in 500 million by chance. Of the dozen figures here one is so once in ten million runs: at ten runs a
# day, once in some thousand years.
SIGMAS = 6


def test_the_sdks_sample_what_their_rules_give_them():
    with Server() as server:
        outcome = judge.run(server, ["xray-python", "xray-node"], seconds=60, rate=50, sigmas=SIGMAS, part_sigmas=SIGMAS)
    print(judge.report(outcome))
    assert not outcome.problems, judge.report(outcome)
    assert outcome.clients, "no client is installed: scripts/clients.sh"
