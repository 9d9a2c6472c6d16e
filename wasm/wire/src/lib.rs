//! Packets as typed header stacks and as bytes; DNS and HTTP messages; pcapng.
