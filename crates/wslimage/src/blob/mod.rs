//! One blob to one file: nothing has the final name before all of it is there, verified and flushed.

mod destination;
mod download;
mod flush;

pub(crate) use destination::Destination;
pub(crate) use download::download;
