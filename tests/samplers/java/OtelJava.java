import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.TraceId;
import io.opentelemetry.context.Context;
import io.opentelemetry.contrib.awsxray.AwsXrayRemoteSampler;
import io.opentelemetry.sdk.resources.Resource;
import io.opentelemetry.sdk.trace.samplers.SamplingDecision;
import io.opentelemetry.sdk.trace.samplers.SamplingResult;
import java.util.Collections;
import java.util.concurrent.ThreadLocalRandom;

/** Driver of OpenTelemetry's X-Ray remote sampler for Java (opentelemetry-aws-xray). */
final class OtelJava {
  private OtelJava() {}

  public static void main(String[] arguments) {
    Schedule.run(arguments, (address, service, host, method) -> {
      AwsXrayRemoteSampler sampler = AwsXrayRemoteSampler.newBuilder(Resource.create(Attributes.of(AttributeKey.stringKey("service.name"), service)))
          .setEndpoint("http://" + address).build();
      return path -> {
        // By the names of before and after the semantic conventions became stable: versions differ in which they read.
        Attributes attributes = Attributes.builder().put("url.path", path).put("http.target", path).put("http.request.method", method)
            .put("http.method", method).put("server.address", host).put("net.host.name", host).put("http.host", host).build();
        ThreadLocalRandom random = ThreadLocalRandom.current();
        SamplingResult result = sampler.shouldSample(Context.root(), TraceId.fromLongs(random.nextLong(), random.nextLong()), method,
            SpanKind.SERVER, attributes, Collections.emptyList());
        return new Schedule.Decision(result.getDecision() == SamplingDecision.RECORD_AND_SAMPLE,
            result.getAttributes().get(AttributeKey.stringKey("aws.xray.sampling_rule")));
      };
    });
  }
}
