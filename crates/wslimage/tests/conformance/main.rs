//! The library against other people's servers: docker-registry, nginx and squid as Debian packages them, each started on
//! loopback with a configuration of its own and ended with its test.
//!
//! A test whose programs are not installed says so and passes; with `CI=true` it fails.

#![cfg(target_os = "linux")]

mod certificate;
mod docker_registry;
mod fixture;
mod nginx;

mod program;
mod pushed_image;
mod squid;
