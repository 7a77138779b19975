"""Finding changes by what people write: grammar and terms are pure, matching turns them into rows."""
