//! Model files as bytes: known by their beginning before they are read, counted while they are
//! held.
//!
//! Owns what is read of a file and when: of one that is not a model, however large, no more than
//! its ends. Which bytes are a model is the importers' business.

use std::cell::RefCell;

use crate::error::Result;
use crate::format::{Artefact, ModelFiles, Sidecars, may_be_model};
use crate::memory::{self, Reservation};
use crate::storage::{self, Location, SharedFile, canonical, read};

/// The most bytes of a model file: far above any real one, far below what would exhaust a machine.
const MODEL_BYTES_LIMIT: u64 = 8 << 30;

/// What is read at each end of a file that is not a model, to say what it is.
const END_BYTES: u64 = 1 << 20;

/// How files next to a model are read.
pub(super) const SIDECARS: Sidecars = Sidecars {
    read: read_file,
    resolve: |location| canonical(location),
};

/// A file that may be a model, read whole, or the ends of one that is none.
#[derive(Debug)]
pub(super) enum Found {
    /// The whole file, and its bytes as they are counted.
    Whole(Artefact, Reservation),
    /// Its beginning and its end: no importer would take it.
    Ends(Artefact),
}

/// Reads a file that may be a model.
///
/// # Errors
/// Fails if the file cannot be read, or is larger than the memory that is left.
pub(super) fn find(path: Location) -> Result<Found> {
    let file = SharedFile::open(&path)?;
    let size = file.byte_count();
    if size > 2 * END_BYTES {
        let mut ends = file.bytes_at(END_BYTES as usize, 0)?;
        if !may_be_model(&Artefact::new(path.clone(), ends.clone())) {
            ends.append(&mut file.bytes_at(END_BYTES as usize, size - END_BYTES)?);
            return Ok(Found::Ends(Artefact::new(path, ends)));
        }
    }
    let reservation = counted(size, &path)?;
    let bytes = read(&path, MODEL_BYTES_LIMIT)?;
    Ok(Found::Whole(
        Artefact {
            sidecars: Some(SIDECARS),
            ..Artefact::new(path, bytes)
        },
        reservation,
    ))
}

/// Reads a file that is part of a model, if there is room for it.
///
/// # Errors
/// Fails if the file cannot be read, or is larger than the memory that is left.
pub(super) fn read_file(path: &Location) -> Result<Vec<u8>> {
    read_held(path).map(|(bytes, _)| bytes)
}

/// Reads a file that is part of a model; its bytes are counted as long as the reservation lives.
///
/// # Errors
/// As [`read_file`].
pub(super) fn read_held(path: &Location) -> Result<(Vec<u8>, Reservation)> {
    let reservation = counted(SharedFile::open(path)?.byte_count(), path)?;
    Ok((read(path, MODEL_BYTES_LIMIT)?, reservation))
}

fn counted(size: u64, path: &Location) -> Result<Reservation> {
    memory::reserve(size, "reading the model file").map_err(|error| error.at_path(path))
}

/// A directory that is a model.
pub(super) struct ModelFolder<'a> {
    path: &'a Location,
    /// The files that were read, as they are counted.
    held: RefCell<Vec<Reservation>>,
    /// The names of the files that were read.
    names: RefCell<Vec<Location>>,
    /// The model's own file, where one of the others names it.
    own: RefCell<Option<Location>>,
}

impl<'a> ModelFolder<'a> {
    pub(super) fn new(path: &'a Location) -> Self {
        Self {
            path,
            held: RefCell::default(),
            names: RefCell::default(),
            own: RefCell::default(),
        }
    }

    /// (path, name) of the files that were read.
    pub(super) fn files(&self) -> Vec<(Location, Location)> {
        let names = self.names.borrow();
        let file = |name: &Location| (self.path.join(name), name.clone());
        names.iter().map(file).collect()
    }

    /// The model's own file, where one of the others names it.
    pub(super) fn own_file(&self) -> Option<Location> {
        self.own.borrow().clone()
    }

    /// The bytes of a file, if it is there. Links are followed, because the hub's cache consists of
    /// them.
    fn read_file(&self, path: &Location) -> Result<Option<Vec<u8>>> {
        if storage::find(path)?.is_none_or(|found| found.is_directory) {
            return Ok(None);
        }
        let (bytes, reservation) = read_held(path)?;
        self.held.borrow_mut().push(reservation);
        Ok(Some(bytes))
    }
}

impl ModelFiles for ModelFolder<'_> {
    fn path(&self) -> &Location {
        self.path
    }

    fn has(&self, name: &Location) -> Result<bool> {
        Ok(storage::find(self.path.join(name))?.is_some())
    }

    fn read(&self, name: &Location) -> Result<Option<Vec<u8>>> {
        let bytes = self.read_file(&self.path.join(name))?;
        if bytes.is_some() {
            self.names.borrow_mut().push(name.to_owned());
        }
        Ok(bytes)
    }

    fn artefact(&self, name: &Location) -> Result<Artefact> {
        *self.own.borrow_mut() = Some(name.to_owned());
        Ok(Artefact {
            sidecars: Some(SIDECARS),
            ..Artefact::new(self.path.join(name), SIDECARS.read_within(self.path, name)?)
        })
    }

    fn surroundings(&self, name: &Location) -> Result<(Option<String>, Option<Vec<u8>>)> {
        let own = canonical(self.path)?;
        let bytes = own
            .parent()
            .map_or(Ok(None), |above| self.read_file(&above.join(name)))?;
        let name = own.file_name();
        Ok((name.map(|name| name.to_string_lossy().into_owned()), bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sparse(name: &str, head: &[u8], size: u64) -> (tempfile::TempDir, Location) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        let file = std::fs::File::create(&path).unwrap();
        std::io::Write::write_all(&mut &file, head).unwrap();
        file.set_len(size).unwrap();
        (directory, path.into())
    }

    #[test]
    fn of_what_is_not_a_model_only_the_ends_are_read() {
        for head in [
            &b""[..],
            b"PAR1",
            b"id,a,b\n1,2,3\n",
            b"\x80\x06pickle",
            b"PK\x03\x04",
        ] {
            let (_directory, path) = sparse("model.json", head, 20 << 30);
            let Found::Ends(artefact) = find(path).unwrap() else {
                panic!("read whole: {head:?}")
            };
            assert_eq!(artefact.bytes.len() as u64, 2 * END_BYTES);
            assert!(artefact.bytes.starts_with(head));
        }
    }

    #[test]
    fn what_may_be_a_model_is_measured_before_it_is_read() {
        let onnx = b"\x08\x08\x12\x07pytorch\x3a\xff\xff\xff\xff\x0f";
        let graph_first = b"\x3a\xff\xff\xff\xff\x0f";
        for head in [
            &b"{\"learner\":{"[..],
            b"tree\nversion=v4\n",
            onnx,
            graph_first,
            b"\xff\xff\0\0\0\0\0\0{\"a\"",
        ] {
            let (_directory, path) = sparse("model", head, 1 << 43);
            let error = find(path).unwrap_err();
            assert!(
                error
                    .to_string()
                    .contains("reading the model file would take 8.00 TiB of memory"),
                "{head:?}: {error}"
            );
        }
    }
}
