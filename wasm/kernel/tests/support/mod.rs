//! What the kernel's tests share: one helper a boundary, so that tests are data.

#![allow(dead_code, reason = "each test binary uses a part")]

pub mod party;
pub mod print;
pub mod restore;
pub mod world;
