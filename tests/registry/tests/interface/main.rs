//! What a test author relies on, seen by a client.

mod client;
mod control;
mod faults;
mod images;
mod ranges;
mod tokens;
