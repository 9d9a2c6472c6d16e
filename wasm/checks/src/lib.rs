//! Probes, asserts, steps and lesson tasks judged against a world.
