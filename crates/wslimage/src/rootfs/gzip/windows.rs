//! The plain bytes before some of the blocks, which reading from there needs: on the disk, for they are many.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::WINDOW;
use crate::rootfs::positioned::{read_exact_at, write_all_at};

/// Windows of all layers, in one file without a name, which is made when there is the first and is gone with this.
pub(crate) struct Windows {
    folder: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    file: Option<Arc<File>>,
    end: u64,
}

/// Where a window lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct WindowPlace {
    offset: u64,
    length: u32,
}

impl Windows {
    /// In a file in `folder`.
    pub(crate) fn new_in(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), kept: Mutex::default() }
    }

    /// Keeps the bytes that are `window` when its parts stand behind one another.
    pub(super) fn keep(&self, window: [&[u8]; 2]) -> io::Result<WindowPlace> {
        let length = window[0].len() + window[1].len();
        debug_assert!(length <= WINDOW);
        let (file, offset) = {
            let mut kept = self.lock();
            let file = match &kept.file {
                Some(file) => file.clone(),
                None => kept.file.insert(Arc::new(tempfile::tempfile_in(&self.folder)?)).clone(),
            };
            let offset = kept.end;
            kept.end += length as u64;
            (file, offset)
        };
        write_all_at(&file, window[0], offset)?;
        write_all_at(&file, window[1], offset + window[0].len() as u64)?;
        Ok(WindowPlace { offset, length: length as u32 })
    }

    pub(super) fn read(&self, place: WindowPlace) -> io::Result<Vec<u8>> {
        let file = self.lock().file.clone().ok_or(io::ErrorKind::NotFound)?;
        let mut window = vec![0; place.length as usize];
        read_exact_at(&file, &mut window, place.offset)?;
        Ok(window)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
