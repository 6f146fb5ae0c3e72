//! A single-node Kafka-compatible log on plain files. Knows nothing of Baton.
