"""Driver of the X-Ray SDK for Python (aws_xray_sdk)."""
import os
import sys

os.environ["AWS_XRAY_DAEMON_ADDRESS"] = sys.argv[1]

from aws_xray_sdk.core import xray_recorder  # noqa: E402  (reads the environment when imported)
from aws_xray_sdk.core.sampling.sampler import DefaultSampler  # noqa: E402

import schedule  # noqa: E402


def make_decide(_, service, host, method):
    sampler = DefaultSampler()
    xray_recorder.configure(service=service, sampler=sampler, plugins=())

    def decide(path):
        rule = sampler.should_trace({"service": service, "host": host, "method": method, "path": path})
        return bool(rule), rule if isinstance(rule, str) else None
    return decide


schedule.run(make_decide)
