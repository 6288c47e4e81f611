//! The mounts every machine has.
