"""Driver of the X-Ray remote sampler of AWS's OpenTelemetry distribution for Python (aws-opentelemetry-distro)."""
import random

from amazon.opentelemetry.distro.sampler.aws_xray_remote_sampler import AwsXRayRemoteSampler
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import SpanKind

import schedule


def make_decide(address, service, host, method):
    sampler = AwsXRayRemoteSampler(Resource({"service.name": service}), endpoint="http://" + address)
    root = Context()

    def decide(path):
        attributes = {"url.path": path, "http.request.method": method, "server.address": host}
        result = sampler.should_sample(root, random.getrandbits(128), method, SpanKind.SERVER, attributes)
        return result.decision.is_sampled(), (result.attributes or {}).get("aws.xray.sampling_rule")
    return decide


schedule.run(make_decide)
