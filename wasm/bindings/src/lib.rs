//! The engine as one WebAssembly class.
