//! One blob to one file: nothing has the final name before all of it is there, verified and flushed.
//!
//! `download` is the whole of it. `fetch` brings the bytes, by `plan` over as many connections as `adapt` finds useful,
//! each of which reads from a `body`; `writer` puts them in order, hashes and writes them to the partial file of
//! `destination`, which `resume` goes on with in a later run. Who reads the blob meanwhile follows `growing`.

mod adapt;
mod body;
mod destination;
mod download;
mod fetch;
mod file_name;
mod flush;
mod growing;
mod plan;
mod resume;
mod writer;

pub(crate) use destination::{Destination, PartialFile, WORTH_KEEPING};
pub(crate) use download::{Downloaded, download};
pub(crate) use flush::BackgroundFlush;
pub(crate) use growing::{Growing, Grown};
