#include "net/grpc_client.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/byte_buffer.h>

#include <chrono>
#include <vector>

namespace fluoro::net {

struct GrpcClient::Impl {
  std::shared_ptr<grpc::Channel> channel;
  grpc::GenericStub stub;
  explicit Impl(const std::string& address)
      : channel(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())), stub(channel) {}
};

GrpcClient::GrpcClient(const std::string& address) : impl_(std::make_unique<Impl>(address)) {}
GrpcClient::~GrpcClient() = default;

Result<GrpcClient::Answer> GrpcClient::Call(const std::string& method, std::string_view body,
                                            std::int64_t timeout_ns) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::nanoseconds(timeout_ns));
  const grpc::Slice slice(body.data(), body.size());
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  grpc::Status status;
  grpc::CompletionQueue queue;
  const auto call = impl_->stub.PrepareUnaryCall(&context, method, request, &queue);
  call->StartCall();
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED)
    return Fail(ErrorCode::kDeadlineExceeded, "no answer in time");
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE &&
      impl_->channel->GetState(false) != GRPC_CHANNEL_READY) {
    return Fail(ErrorCode::kUnreachable, "no connection: " + status.error_message());
  }
  Answer answer{static_cast<int>(status.error_code()), status.error_message(), {}};
  std::vector<grpc::Slice> slices;
  if (status.ok() && response.Dump(&slices).ok()) {
    for (const auto& part : slices)
      answer.body.append(reinterpret_cast<const char*>(part.begin()), part.size());
  }
  return answer;
}

}  // namespace fluoro::net
