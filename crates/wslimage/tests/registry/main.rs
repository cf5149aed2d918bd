//! The library against a registry, as a user of the library sees it.

mod bad_servers;
mod cache;
mod connections;
mod example;
mod faults;
mod fixture;
mod large;
mod mirrors;
mod proxies;
mod pull;
mod redirects;
mod resume;
mod retry;
mod sign_in;
mod tokens;
mod trust;
