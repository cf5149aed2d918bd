//! The library against a registry, as a user of the library sees it.

mod bad_servers;
mod example;
mod faults;
mod fixture;
mod pull;
mod resume;
mod sign_in;
