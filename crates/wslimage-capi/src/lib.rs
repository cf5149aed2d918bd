//! The C ABI of wslimage: handles, statuses and strings around the library's futures.
//!
//! `include/wslimage.h` is made from this source, doc comments included; what they promise to C is the contract of the
//! functions, so none has a section on safety beside it. Every entry goes through [`landing`], which checks pointers
//! and stops panics. No other crate of the project has `unsafe`, but for the calls of WinHTTP in `wslimage-winhttp`.

#![allow(unsafe_code, reason = "a C ABI is made of pointers")]
#![allow(non_camel_case_types, reason = "types have the names that they have in C")]
#![allow(clippy::missing_safety_doc, reason = "the whole doc comment is the contract")]
#![deny(unsafe_op_in_unsafe_fn)]

// In the order that the header has.
pub mod version;

pub mod status;

pub mod error;

pub mod client;

pub mod image;

pub mod reference;

pub mod progress;

pub mod operation;

pub mod manifest;

pub mod tags;

pub mod token;

pub mod file;

pub mod cache;

#[cfg(feature = "test-panic")]
pub mod test_panic;

// What they stand on.
mod landing;
mod panic;
mod runtime;
mod sized;
mod text;
