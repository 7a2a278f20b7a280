//! Child processes: what they get, how they end, what they cannot do. `examples/puppet.rs` is the child.

mod confinement;
mod ends;
mod passing;
mod stage;
