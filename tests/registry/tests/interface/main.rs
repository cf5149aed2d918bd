//! What a test author relies on, seen by a client.

mod cdn;
mod client;
mod control;
mod faults;
mod http2;
mod images;
mod proxy;
mod ranges;
mod raw;
mod tls;
mod tokens;
