"""The demonstration: two pipelines, and the story that `reprise demo` tells with them."""
