//! Tar archives as layers have them, and headers as bsdtar inside WSL takes them.
//!
//! [`Reader`] knows every dialect that builders of images wrote and says of each entry whether its header can go into
//! the archive as it is; [`header`] makes one that can. What a header says is put together in `headers`, once for both.
//!
//! Names are not judged here. For bsdtar `x`, `./x`, `a//b`, `a/./b`, and `x/` of a folder are all fine, and `/x` loses
//! its slash with a message, at exit code 0; so they are for the hard links' targets. What it refuses is a `..` in them and
//! an empty name: such headers need rewriting, and so does a file's whose name ends in `/`, of which bsdtar makes a folder.

mod block;
mod description;
mod headers;
mod main_header;
mod number;
mod pax;
mod reader;
mod sparse;
#[cfg(test)]
mod tests;
mod writer;
mod xattr;

pub(crate) use block::{TELLING, is_meant};
pub(crate) use reader::Reader;
pub(crate) use writer::{END, folder, header};
