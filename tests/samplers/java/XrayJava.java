import com.amazonaws.xray.strategy.sampling.CentralizedSamplingStrategy;
import com.amazonaws.xray.strategy.sampling.SamplingRequest;
import com.amazonaws.xray.strategy.sampling.SamplingResponse;

/** Driver of the X-Ray SDK for Java (aws-xray-recorder-sdk-core). It reads AWS_XRAY_DAEMON_ADDRESS. */
final class XrayJava {
  private XrayJava() {}

  public static void main(String[] arguments) {
    Schedule.run(arguments, (address, service, host, method) -> {
      CentralizedSamplingStrategy strategy = new CentralizedSamplingStrategy();
      return path -> {
        SamplingResponse response = strategy.shouldTrace(new SamplingRequest(service, host, path, method, ""));
        return new Schedule.Decision(response.isSampled(), response.getRuleName().orElse(null));
      };
    });
  }
}
