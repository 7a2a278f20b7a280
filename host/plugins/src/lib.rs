//! Finds, judges and loads plugins.
