//! Moves: Kafka, pipeline, delivery, timers, signals, telemetry, admin, command line.
