module fluoro.dev/tests/samplers

go 1.23

require github.com/aws/aws-xray-sdk-go v1.8.5

require (
	github.com/aws/aws-sdk-go v1.47.9 // indirect
	github.com/jmespath/go-jmespath v0.4.0 // indirect
	github.com/pkg/errors v0.9.1 // indirect
)
