// Replaced by the target's sources.
