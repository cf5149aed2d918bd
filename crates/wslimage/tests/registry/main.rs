//! The library against a registry, as a user of the library sees it.

mod bad_servers;
mod cache;
mod connections;
#[cfg(target_os = "linux")]
mod disk;
mod example;
mod faults;
mod fixture;
mod large;
mod layers;
mod mirrors;
mod platforms;
mod proxies;
mod pull;
mod redirects;
mod resume;
mod retry;
mod sign_in;
mod stack;
mod tokens;
mod trust;
