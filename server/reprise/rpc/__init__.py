"""The edge: gRPC, HTTP and the public messages. Every handler decodes, makes one call, encodes."""
