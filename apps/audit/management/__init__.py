"""Commands about the stream."""
