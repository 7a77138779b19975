"""Who is told what, and the mail that tells it: deliveries from the stream."""
