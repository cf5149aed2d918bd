//! Images of files and folders as their makers write them, and as nobody should.

mod damaged;
mod saved;
mod shelf;
