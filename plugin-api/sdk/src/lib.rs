//! Safe Rust for selkies-host plugins.
