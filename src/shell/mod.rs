//! The thin shell: NATS, HTTP, clock and disk around the engine.
