// Builds the object graph and nothing else.
#include "app/server.h"
#include "cli/cli.h"

int main(int argc, char** argv) { return fluoro::cli::Run(argc, argv, fluoro::app::StartServer); }
