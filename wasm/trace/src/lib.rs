//! Traces of packets: legs, hops, steps, outcomes, and their explanation in words.
