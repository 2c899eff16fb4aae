"""The demonstration: a made-up company, three AI systems, a stream of their decisions. Nothing in it is real."""
